"""Where completions end: every token that a model names itself, or those that the prompt names instead."""

import json

import pytest

from r1flow.components.core.ends import Ends, end_ids
from r1flow.components.core.errors import DataError, ModelError
from r1flow.components.core.models import BUILTIN, load_tokenizer
from r1flow.components.data.ends import find_ends, foreign_end
from r1flow.components.recipe.models import PromptConfig
from r1flow.components.training.sft.encode import encode_conversation, encode_pair
from tests.fakes.tokenizers import CHATML, blank_first, byte_level

BASE = byte_level(eos="<|endoftext|>")
TEXT, START, TURN = range(3)
CHAT = PromptConfig(template="tokenizer")


def directory(path, generation=None, config=None):
    for name, ids in (("generation_config.json", generation), ("config.json", config)):
        if ids is not None:
            (path / name).write_text(json.dumps({"eos_token_id": ids}))
    return path


@pytest.mark.parametrize(
    ("generation", "config", "ids"),
    [
        (None, None, (TEXT,)),
        (TEXT, None, (TEXT,)),
        ([TURN, TEXT], None, (TEXT, TURN)),
        (TURN, [START], (TEXT, TURN)),
        (None, [TEXT, TURN], (TEXT, TURN)),
        ([TURN, 10**6, -1, "x", TURN], None, (TEXT, TURN)),  # what the tokenizer does not have is never drawn
        ({"a": 1}, True, (TEXT,)),
    ],
)
def test_the_ends_are_the_tokenizers_and_those_that_the_directory_declares(tmp_path, generation, config, ids):
    found = find_ends(BASE, directory(tmp_path, generation, config), "r1_zero")
    assert found == Ends(ids, TEXT)


def test_a_broken_declaration_declares_nothing(tmp_path):
    (tmp_path / "generation_config.json").write_text("{")
    (tmp_path / "config.json").write_text("[]")
    assert find_ends(BASE, tmp_path, "r1_zero").ids == (TEXT,)


def test_trained_is_the_end_by_which_the_chat_template_closes_a_turn(tmp_path):
    assert find_ends(BASE, directory(tmp_path, [TEXT, TURN]), CHAT) == Ends((TEXT, TURN), TURN)
    assert find_ends(BASE, tmp_path, "r1_zero") == Ends((TEXT, TURN), TEXT)
    assert find_ends(byte_level(CHATML.replace("<|im_end|>", "")), None, CHAT) == Ends((TURN,), TURN)


def test_end_tokens_of_the_prompt_stand_in_place_of_all_others(tmp_path):
    chosen = PromptConfig(template="tokenizer", end_tokens=("<|im_end|>",))
    assert find_ends(BASE, directory(tmp_path, [TEXT, START]), chosen) == Ends((TURN,), TURN)
    both = PromptConfig(end_tokens=("<|im_end|>", "<|endoftext|>", "<|im_end|>"))
    assert find_ends(BASE, tmp_path, both) == Ends((TURN, TEXT), TEXT)
    line = PromptConfig(end_tokens=("\n",))
    assert find_ends(BASE, None, line).ids == tuple(BASE("\n")["input_ids"])


@pytest.mark.parametrize(("tokenizer", "text"), [(BASE, "<|eot|>"), (BASE, "the end"), (blank_first(), "\u4f60\u4f60")])
def test_an_end_that_is_not_one_token_is_refused_by_name(tokenizer, text):
    with pytest.raises(
        ModelError, match=r"is not one token of this tokenizer; name tokens .* prompt\.end_tokens"
    ) as said:
        find_ends(tokenizer, None, PromptConfig(end_tokens=(text,)))
    assert repr(text) in str(said.value)


def test_the_shipped_models_have_one_end():
    for name, path in BUILTIN.items():
        tokenizer = load_tokenizer(path)
        for template in ("tiny", "tokenizer", "r1_zero"):
            assert find_ends(tokenizer, path, template) == Ends((tokenizer.eos_token_id,), tokenizer.eos_token_id), name


def test_a_template_that_closes_turns_with_no_end_of_the_model_is_found(tmp_path):
    assert foreign_end(BASE, CHAT, find_ends(BASE, None, CHAT)) == "<|im_end|>"
    assert foreign_end(BASE, CHAT, find_ends(BASE, directory(tmp_path, TURN), CHAT)) == ""
    assert foreign_end(BASE, PromptConfig(), find_ends(BASE, None, "r1_zero")) == ""
    unclosed = byte_level("{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}")
    assert foreign_end(unclosed, CHAT, find_ends(unclosed, None, CHAT)) == ""


def test_a_completion_is_cut_at_any_end_and_at_no_other_token():
    ends = Ends((TEXT, TURN), TURN)
    assert [ends.cut(ids) for ids in ((5, TURN), (5, TEXT), (TURN, 5), ())] == [(5,), (5,), (TURN, 5), ()]
    assert (end_ids(7), end_ids([7, 8])) == ((7,), (7, 8))


def test_sft_puts_the_trained_end_behind_a_completion_and_refuses_any_end_inside():
    ends = Ends((TEXT, TURN), TURN)
    assert encode_pair(BASE, "1+1=", "2", ends, row="r").ids[-1] == TURN
    for inside in ("<|im_end|>", "<|endoftext|>"):
        with pytest.raises(
            DataError, match="row r: the completion contains the end token '" + inside.replace("|", r"\|")
        ):
            encode_pair(BASE, "1+1=", f"2{inside}3", ends, row="r")
        talk = [{"role": "user", "content": "1+1"}, {"role": "assistant", "content": f"2{inside}3"}]
        with pytest.raises(DataError, match="contains the end token"):
            encode_conversation(BASE, "tokenizer", talk, ends, row="r")


def test_a_turn_that_no_end_closes_is_refused_with_the_setting_that_makes_one():
    talk = [{"role": "user", "content": "1+1"}, {"role": "assistant", "content": "2"}]
    with pytest.raises(DataError) as said:
        encode_conversation(BASE, "tokenizer", talk, find_ends(BASE, None, CHAT), row="r")
    assert str(said.value).endswith('set models.NAME.prompt.end_tokens = ["<|im_end|>", "<|endoftext|>"]')
    fixed = PromptConfig(template="tokenizer", end_tokens=("<|im_end|>", "<|endoftext|>"))
    assert encode_conversation(BASE, fixed, talk, find_ends(BASE, None, fixed), row="r").ids[-1] == TURN
