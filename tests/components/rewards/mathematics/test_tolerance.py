"""A tolerance forgives a measured number its last digits, and nothing else."""

import pytest

from r1flow.components.core.schema import Row
from r1flow.components.rewards.accuracy import full_score, quick_score


def row(gold: str, tolerance: object = 0.01) -> Row:
    return Row(id="1", prompt="?", answer=gold, verifier="math", verifier_args={"tolerance": tolerance}, source="x")  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("gold", "text", "reward"),
    [
        ("1.6", "\\boxed{1.59}", 1.0),
        ("1.6", "\\boxed{1.57}", 0.0),
        ("1.6", "\\boxed{-1.6}", 0.0),
        ("4.5e33", "\\boxed{4.53 \\times 10^{33}}", 1.0),
        ("4.5e33", "\\boxed{4.5 \\times 10^{32}}", 0.0),
        ("10 \\mathrm{~cm}", "\\boxed{10.05 \\mathrm{~cm}}", 1.0),
        ("10 \\mathrm{~cm}", "\\boxed{10.05 \\mathrm{~m}}", 0.0),
        ("1.6", "\\boxed{5} or \\boxed{1.59}", 0.0),  # hedged
        ("1.6", "\\boxed{1.59} <answer>7</answer>", 0.0),
        ("0", "\\boxed{0.001}", 0.0),
        ("x+1", "\\boxed{x+1.001}", 0.0),
        ("1.6", "no number", 0.0),
        ("1.6", "\\boxed{1.6}", 1.0),
    ],
)
def test_a_number_may_be_off_by_the_tolerance_and_nothing_else_may(gold: str, text: str, reward: float) -> None:
    completion = f"<think></think>{text}"
    assert full_score(completion, row(gold)).reward == reward
    quick = quick_score(completion, row(gold))
    assert quick is None or quick == full_score(completion, row(gold))


def test_without_a_tolerance_nothing_is_forgiven() -> None:
    plain = Row(id="1", prompt="?", answer="1.6", verifier="math", source="x")
    assert full_score("<think></think>\\boxed{1.59}", plain).reward == 0.0
    assert full_score("<think></think>\\boxed{1.59}", row("1.6", "much")).reward == 0.0
