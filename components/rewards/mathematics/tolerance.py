"""Answers that are measured, not exact: right within a relative tolerance, as physics and chemistry state it."""

from dataclasses import replace
from fractions import Fraction

from r1flow.components.core.verdict import Verdict
from r1flow.components.rewards.base import Score
from r1flow.components.rewards.mathematics.extraction import find_answers
from r1flow.components.rewards.mathematics.normal_form import MAX_CHARS, normal
from r1flow.components.rewards.mathematics.number import read


def within(gold: str, answer: str, tolerance: float) -> bool:
    """``|answer - gold| <= tolerance |gold|`` for two numbers, of one unit where both have one; False for all else.

    >>> within("4.5e33", "4.52 \\\\times 10^{33}", 0.01), within("1.6", "1.7", 0.01), within("x", "x", 0.01)
    (True, False, False)
    """
    if max(len(gold), len(answer)) > MAX_CHARS:
        return False
    wanted, given = read(normal(gold)), read(normal(answer))
    if wanted is None or given is None or wanted.percent != given.percent:
        return False
    if wanted.unit and given.unit and wanted.unit != given.unit:
        return False
    return abs(given.value - wanted.value) <= Fraction(str(tolerance)) * abs(wanted.value)


def tolerant(score: Score, gold: str, text: str, tolerance: float) -> Score:
    """``score``, made CORRECT where every answer that ``text`` marks is wrong by no more than the tolerance."""
    if score.verdict is not Verdict.WRONG or score.extracted is None:
        return score
    found = find_answers(text)
    numbers = [other for other in found.others if len(other) <= MAX_CHARS and read(normal(other)) is not None]
    if not all(within(gold, answer, tolerance) for answer in (*found.candidates, *numbers)):
        return score
    return replace(Score.of(Verdict.CORRECT, extracted=score.extracted), detail=f"within {tolerance:g}")
