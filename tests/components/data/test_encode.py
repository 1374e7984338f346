"""Every text begins as the tokenizer begins one, once, whichever template wrote it."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from r1flow.components.core.ends import Ends
from r1flow.components.core.errors import DataError
from r1flow.components.core.models import BUILTIN, load_tokenizer
from r1flow.components.core.schema import Message
from r1flow.components.data.chat import render
from r1flow.components.data.encode import beginning, begun, encode_prompt
from r1flow.components.data.literal import encode
from r1flow.components.programs.language_model import LanguageModel
from r1flow.components.training.sft.encode import encode_conversation, encode_pair
from tests.fakes.tokenizers import CHATML, begins, blank_first, byte_level

START, TURN = 0, 2
ENDS = Ends((TURN,), TURN)
WRITES_IT = begins(byte_level("{{ bos_token }}" + CHATML))
PLAIN = begins(byte_level())
WITHOUT = byte_level()
TALK = [
    {"role": "user", "content": "37+45?"},
    {"role": "assistant", "content": "82"},
    {"role": "user", "content": "12*12?"},
    {"role": "assistant", "content": "144"},
]


@pytest.mark.parametrize("tokenizer", [WRITES_IT, PLAIN])
@pytest.mark.parametrize("template", ["r1_zero", "tiny", "tokenizer"])
def test_a_prompt_begins_once_as_plain_text_begins(tokenizer, template):
    ids = encode_prompt(tokenizer, template, "What is 37+45?")
    assert ids[:1] == tuple(tokenizer("x")["input_ids"][:1]) == (START,)
    assert ids.count(START) == 1
    assert tokenizer.decode(ids[1:]) == render(template, "What is 37+45?", tokenizer).removeprefix("<|endoftext|>")
    told = LanguageModel(None, None, tokenizer, template)
    assert told.encode_prompt(SimpleNamespace(id="r", messages=None, prompt="What is 37+45?")) == ids


@pytest.mark.parametrize("tokenizer", [WITHOUT, blank_first(), *map(load_tokenizer, BUILTIN.values())])
@pytest.mark.parametrize("template", ["r1_zero", "tiny"])
def test_a_tokenizer_that_begins_no_text_gives_what_it_always_gave(tokenizer, template):
    assert beginning(tokenizer) == ()
    ids = tuple(tokenizer(render(template, "37+45"), add_special_tokens=False)["input_ids"])
    assert encode_prompt(tokenizer, template, "37+45") == ids


@given(st.text(max_size=40))
def test_a_text_without_control_strings_is_encoded_whole(text):
    if not any(control in text for control in ("<|endoftext|>", "<|im_start|>", "<|im_end|>")):
        shown = render("tokenizer", text, WITHOUT)
        assert encode_prompt(WITHOUT, "tokenizer", text) == tuple(WITHOUT(shown, add_special_tokens=False)["input_ids"])


@pytest.mark.parametrize("tokenizer", [WRITES_IT, PLAIN])
def test_training_reads_the_prompt_that_sampling_is_given(tokenizer):
    for template in ("r1_zero", "tokenizer"):
        pair = encode_pair(tokenizer, render(template, "37+45?", tokenizer), "82", ENDS, row="r")
        assert pair.ids[: pair.num_context] == encode_prompt(tokenizer, template, "37+45?")
    talk = encode_conversation(tokenizer, "tokenizer", TALK, ENDS, row="r")
    assert talk.ids.count(START) == 1
    for turn in (1, 3):
        shown = encode_prompt(tokenizer, "tokenizer", [Message.model_validate(message) for message in TALK[:turn]])
        assert talk.ids[: len(shown)] == shown
        assert talk.trained[len(shown)]


def test_a_token_that_a_tokenizer_puts_behind_a_text_is_no_beginning():
    tokenizer = byte_level()
    from tokenizers import processors

    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<|im_start|> <|endoftext|> $A <|im_end|>",
        special_tokens=[("<|endoftext|>", 0), ("<|im_start|>", 1), ("<|im_end|>", 2)],
    )
    assert beginning(tokenizer) == (1, 0)
    assert begun(tokenizer, encode(tokenizer, "ab")) == (1, 0, *encode(tokenizer, "ab"))
    assert begun(tokenizer, (1, 0, 7)) == (1, 0, 7)


def test_what_cannot_be_asked_names_its_row():
    told = LanguageModel(None, None, WITHOUT, "r1_zero")
    turns = (Message(role="user", content="a"),)
    with pytest.raises(DataError, match=r"row r-7: template 'r1_zero' takes one question"):
        told.encode_prompt(SimpleNamespace(id="r-7", messages=turns, prompt="a"))
