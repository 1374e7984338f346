"""The accuracy reward: 1 when the answer after the thought is the row's answer, by the row's own verifier.

Only what follows the last ``</think>`` counts, so an answer that stands in the thought alone earns nothing. A score
comes in two ways: ``quick_score`` in bounded time, wherever it is called, and ``full_score`` in a process that can be
killed, for what needs algebra or runs a program.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from r1flow.components.core.verdict import Verdict
from r1flow.components.rewards.base import Score
from r1flow.components.rewards.mathematics import judge, judge_choice, quick
from r1flow.components.rewards.mathematics import usable as usable_gold
from r1flow.components.rewards.mathematics.tolerance import tolerant
from r1flow.components.rewards.thought import answer_of

if TYPE_CHECKING:
    from r1flow.components.core.schema import Row


def accuracy(completions: Sequence[str], examples: Sequence[Row]) -> list[float | None]:
    """CORRECT 1.0, everything else 0.0; None where the row's own answer or tests cannot be used. A ``Reward``."""
    return [score_answer(text, row).reward for text, row in zip(completions, examples, strict=True)]


def score_answer(completion: str, row: Row) -> Score:
    """The verdict on a completion, in this process: quick where that is possible, in full otherwise."""
    score = quick_score(completion, row)
    return full_score(completion, row) if score is None else score


def quick_score(completion: str, row: Row) -> Score | None:
    """The verdict in bounded time; None when it takes a worker. What it returns is what ``full_score`` returns."""
    answer = answer_of(completion)
    if answer is None:
        return _unclosed(row)
    if row.verifier == "exact":
        return Score.of(Verdict.CORRECT if answer.strip() == row.answer.strip() else Verdict.WRONG)
    if row.verifier == "choice":
        return judge_choice(row.answer, answer)
    if row.verifier != "math":
        return None
    score = quick(row.answer, answer)
    return None if score is None else _tolerated(score, row, answer)


def full_score(completion: str, row: Row) -> Score:
    """The verdict, however long it takes: call it in a process that can be killed.

    UNPARSEABLE when the thought is never closed. ``exact``: the text without surrounding white space is the row's
    answer. ``math`` and ``choice``: ``r1flow.components.rewards.mathematics``; with ``verifier_args = {tolerance = 0.01}`` a
    number may be off by that share. ``code``: the row's tests pass.
    """
    answer = answer_of(completion)
    if row.verifier == "code" and row.tests is not None:
        from r1flow.components.rewards.code import judge as judge_code

        return Score.of(Verdict.UNPARSEABLE) if answer is None else judge_code(row.tests, answer)
    if row.verifier == "code":
        return Score.unusable("the row has no tests")
    if row.verifier == "math" and answer is not None:
        return _tolerated(judge(row.answer, answer), row, answer)
    score = quick_score(completion, row)
    assert score is not None, "every other verifier is quick"
    return score


def usable(row: Row) -> bool:
    """Whether completions can be scored against this row at all."""
    if row.verifier == "code":
        return row.tests is not None
    if row.verifier == "math":
        return usable_gold(row.answer)
    return row.verifier == "exact" or judge_choice(row.answer, "").reward is not None


def _tolerated(score: Score, row: Row, answer: str) -> Score:
    tolerance = (row.verifier_args or {}).get("tolerance")
    return tolerant(score, row.answer, answer, tolerance) if isinstance(tolerance, float) else score


def _unclosed(row: Row) -> Score:
    if not usable(row):
        return Score.unusable("the row has no tests" if row.verifier == "code" else "the row's answer cannot be used")
    return Score.of(Verdict.UNPARSEABLE, detail="the thought is never closed")
