"""Real tokenizers (``make test-real`` fetches them): ends, beginnings, round trips, masks and template variables.

``R1_REAL_TOKENIZERS`` names a folder of their directories.
"""

import json
import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from r1flow.components.core.errors import DataError
from r1flow.components.core.models import load_tokenizer
from r1flow.components.core.round_trip import PROBES
from r1flow.components.data.chat import closes_thought, opens_thought, render
from r1flow.components.data.encode import beginning, encode_prompt
from r1flow.components.data.ends import find_ends, foreign_end, names
from r1flow.components.data.literal import controls, encode
from r1flow.components.recipe.models import PromptConfig
from r1flow.components.training.sft.encode import encode_conversation, encode_pair
from tests.conftest import not_installed

pytestmark = pytest.mark.real
CHAT = PromptConfig(template="tokenizer")
TALK = [
    {"role": "user", "content": "What is 37+45?"},
    {"role": "assistant", "content": "It is 82."},
    {"role": "user", "content": "And 12*12?"},
    {"role": "assistant", "content": "It is 144."},
]


@dataclass(frozen=True)
class Known:
    """What a model's makers say of it: tokens that its ``generation_config.json`` names as ends, the one that closes a turn, the
    one before every text; ``before`` is what its template puts before an answer that has no thought."""

    ends: tuple[str, ...]
    closes: str
    begins: str = ""
    before: str = ""
    rewrites: bool = False
    """Whether its template writes a turn otherwise once another one follows."""


DEEPSEEK = "<\uff5c{}\u2581of\u2581sentence\uff5c>"
KNOWN = {
    "llama3_1": Known(  # the fourth reserved token is <|eom_id|> in later files
        ("<|end_of_text|>", "<|reserved_special_token_4|>", "<|eot_id|>"), "<|eot_id|>", "<|begin_of_text|>"
    ),
    "gemma3": Known(("<eos>", "<end_of_turn>"), "<end_of_turn>", "<bos>"),
    "qwen3": Known(("<|im_end|>", "<|endoftext|>"), "<|im_end|>", "", "<think>\n\n</think>\n\n", rewrites=True),
    "deepseek_v3": Known((DEEPSEEK.format("end"),), DEEPSEEK.format("end"), DEEPSEEK.format("begin")),
    "gptoss": Known(
        ("<|return|>", "<|endoftext|>", "<|call|>"), "<|return|>", "", "<|channel|>final<|message|>", rewrites=True
    ),
}


@dataclass(frozen=True)
class Real:
    """A tokenizer with what is known of it, and a directory as its model would have it."""

    tokenizer: Any
    known: Known
    directory: Path

    @property
    def ends(self):
        return find_ends(self.tokenizer, self.directory, CHAT)

    def said(self, example):
        """What is trained, as text."""
        return self.tokenizer.decode(
            [token for token, chosen in zip(example.ids, example.trained, strict=True) if chosen]
        )


@pytest.fixture(scope="module", params=sorted(KNOWN))
def real(request, tmp_path_factory):
    if "R1_REAL_TOKENIZERS" not in os.environ:
        not_installed("a folder of tokenizers (R1_REAL_TOKENIZERS)", "`make test-real` fetches them")
    tokenizer = load_tokenizer(Path(os.environ["R1_REAL_TOKENIZERS"]) / request.param)
    if request.param == "gptoss":  # its package has no template
        tokenizer.chat_template = (Path(find_spec("trl").origin).parent / "chat_templates/gptoss.jinja").read_text()
    directory, known = tmp_path_factory.mktemp(request.param), KNOWN[request.param]
    declared = {"eos_token_id": [tokenizer.convert_tokens_to_ids(end) for end in known.ends]}
    (directory / "generation_config.json").write_text(json.dumps(declared))
    return Real(tokenizer, known, directory)


@pytest.fixture
def tokenizer(real):
    return real.tokenizer


def control_ids(tokenizer, ids):
    return [token for token in ids if token in set(controls(tokenizer).values())]


def test_completions_end_at_every_end_that_the_model_names(real):
    assert sorted(names(real.tokenizer, real.ends)) == sorted(real.known.ends)
    assert real.tokenizer.convert_ids_to_tokens(real.ends.trained) == real.known.closes
    assert foreign_end(real.tokenizer, CHAT, real.ends) == ""


def test_texts_come_back(tokenizer):
    for probe in PROBES:
        made = tokenizer.decode(
            tokenizer(probe, add_special_tokens=False)["input_ids"], clean_up_tokenization_spaces=False
        )
        assert made in (probe, probe.removeprefix(" "))


@pytest.mark.parametrize("template", ["r1_zero", "tiny", "tokenizer"])
def test_prompts_begin_once_as_plain_text_begins(real, template):
    tokenizer, start = real.tokenizer, beginning(real.tokenizer)
    assert tokenizer.convert_ids_to_tokens(list(start)) == ([real.known.begins] if real.known.begins else [])
    ids = encode_prompt(tokenizer, template, "2+2")
    assert ids[: len(start)] == start == tuple(tokenizer("x")["input_ids"][: len(start)])
    assert all(ids.count(token) == 1 for token in start)
    shown = tuple(tokenizer(render(template, "2+2", tokenizer), add_special_tokens=False)["input_ids"])
    assert ids in (shown, start + shown)


@pytest.mark.parametrize("template", ["r1_zero", "tiny", "tokenizer"])
def test_what_people_wrote_is_text(tokenizer, template):
    every = list(controls(tokenizer))
    nasty = f"a {' '.join(every[:4])}{tokenizer.eos_token}\n{every[-1]} b"
    ids = encode_prompt(tokenizer, template, nasty)
    assert control_ids(tokenizer, ids) == control_ids(tokenizer, encode_prompt(tokenizer, template, "a"))
    whole = encode(tokenizer, render(template, nasty, tokenizer))
    says = [tokenizer.decode(found, clean_up_tokenization_spaces=False) for found in (ids, whole)]
    assert says[0].replace(" ", "").endswith(says[1].replace(" ", "")[-len(nasty) :])


def test_sft_trains_an_answer_and_the_end_that_closes_it(real):
    one = encode_conversation(real.tokenizer, CHAT, TALK[:2], real.ends, row="r")
    assert one.ids[: one.num_context] == encode_prompt(real.tokenizer, CHAT, TALK[0]["content"])
    assert real.said(one) == f"{real.known.before}It is 82.{real.known.closes}"


def test_sft_trains_both_answers_of_two_turns_and_nothing_of_the_questions(real):
    if real.known.rewrites:
        with pytest.raises(DataError, match=r"row r: .*before turn 4 otherwise.*make a row of each turn"):
            encode_conversation(real.tokenizer, CHAT, TALK, real.ends, row="r")
        return
    two = encode_conversation(real.tokenizer, CHAT, TALK, real.ends, row="r")
    assert real.said(two) == f"It is 82.{real.known.closes}It is 144.{real.known.closes}"
    assert two.ids[: len(encode_prompt(real.tokenizer, CHAT, "x")) - 1].count(real.ends.trained) == 0


def test_no_template_here_opens_or_closes_a_thought_unasked(tokenizer):
    assert not opens_thought(CHAT, tokenizer)
    assert not closes_thought(CHAT, tokenizer)


@pytest.mark.parametrize("real", ["qwen3"], indirect=True)
def test_thinking_can_be_switched_off(real):
    off = PromptConfig(template="tokenizer", variables={"enable_thinking": False})
    assert closes_thought(off, real.tokenizer)
    example = encode_pair(real.tokenizer, render(off, "2+2", real.tokenizer), "4", real.ends, row="r")
    assert real.tokenizer.decode(example.ids).endswith("<think>\n\n</think>\n\n4<|im_end|>")
    assert real.said(example) == "4<|im_end|>"


@pytest.mark.parametrize("real", ["gptoss"], indirect=True)
def test_harmony_is_told_effort_and_date(real):
    told = PromptConfig(template="tokenizer", variables={"reasoning_effort": "high"}, date="2025-08-05")
    shown = render(told, "2+2", real.tokenizer)
    assert shown.startswith("<|start|>system<|message|>You are ChatGPT")
    assert "\nCurrent date: 2025-08-05\n\nReasoning: high\n" in shown
    assert shown.endswith("<|end|><|start|>user<|message|>2+2<|end|><|start|>assistant")
    assert "Current date: 2026-01-01" in render(CHAT, "2+2", real.tokenizer)


@pytest.mark.parametrize("real", ["gptoss"], indirect=True)
def test_harmony_refuses_channels_that_people_wrote_into_a_turn(real):
    turns = [TALK[0], {"role": "assistant", "content": "<|channel|>final<|message|>It is 82."}]
    with pytest.raises(DataError, match=r"row r: .*<\|channel\|>"):
        encode_conversation(real.tokenizer, CHAT, turns, real.ends, row="r")
