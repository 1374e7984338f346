"""Seven hundred more pairs of gold and answer, each judged by hand: notation that says the same, and what does not."""

import json
from pathlib import Path

import pytest

from r1flow.components.rewards.mathematics import judge, judge_choice, quick

PAIRS: dict[str, list[list[str]]] = json.loads(Path(__file__).with_name("spellings.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("kind", "reward"), [("same", 1.0), ("different", 0.0)])
def test_every_pair_is_judged_as_a_person_would(kind: str, reward: float) -> None:
    assert len(PAIRS[kind]) > 300
    assert [pair for pair in PAIRS[kind] if judge(*pair).reward != reward] == []


def test_the_fast_path_says_what_the_full_one_says() -> None:
    pairs = [pair for pairs in PAIRS.values() for pair in pairs]
    found = [(pair, score) for pair in pairs if (score := quick(*pair)) is not None]
    assert len(found) > 0.6 * len(pairs)
    assert [pair for pair, score in found if score != judge(*pair)] == []


@pytest.mark.parametrize(
    "answer", ["Anything but B", "NOT B", "Except B", "B is wrong", "A, B", "\\boxed{A}\\boxed{B}"]
)
def test_a_letter_that_is_denied_or_one_of_several_is_not_chosen(answer: str) -> None:
    assert judge_choice("B", answer).reward == 0.0
