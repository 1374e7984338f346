"""The accuracy reward: 1 when the answer after the thought is the row's answer, by the row's own verifier.

Only what follows the last ``</think>`` counts, so an answer that stands in the thought alone earns nothing.
"""

from collections.abc import Sequence

from components.data.schema import Row
from components.rewards.base import Score, Verdict
from components.rewards.equivalence import equal, usable
from components.rewards.extraction import Found, find_answers
from components.rewards.thought import answer_of

MAX_OTHERS = 16  # marked answers beside the last one


def accuracy(completions: Sequence[str], examples: Sequence[Row]) -> list[float | None]:
    """CORRECT 1.0, everything else 0.0; None where the row's own answer cannot be used. A ``Reward``."""
    return [score_answer(text, row).reward for text, row in zip(completions, examples, strict=True)]


def score_answer(completion: str, row: Row) -> Score:
    """The verdict on a completion: UNPARSEABLE when its thought is never closed, WRONG when nothing follows it."""
    answer = answer_of(completion)
    return Score.of(Verdict.UNPARSEABLE) if answer is None else verify_answer(answer, row)


def verify_answer(answer: str, row: Row) -> Score:
    """The verdict on a text that has no thought (any more).

    ``exact``: the text without surrounding white space is the row's answer. ``math``: the marked answer is
    mathematically equal to it; two different marked answers are WRONG, an answer that cannot be read is UNPARSEABLE.
    """
    if row.verifier == "exact":
        return Score.of(Verdict.CORRECT if answer.strip() == row.answer.strip() else Verdict.WRONG)
    golds = find_answers(row.answer).candidates
    if not golds or not usable(golds[-1]):
        return Score(None, None)
    if not answer.strip():
        return Score.of(Verdict.WRONG)
    return Score.of(_judge(golds[-1], find_answers(answer)))


def _judge(gold: str, found: Found) -> Verdict:
    if not found.candidates:
        return Verdict.UNPARSEABLE
    last = found.candidates[-1]
    others = set(found.candidates) - {last}
    same = equal(gold, last, marked=found.marked)
    if same is None:
        return Verdict.UNPARSEABLE
    if not same or len(others) > MAX_OTHERS:
        return Verdict.WRONG
    return Verdict.CORRECT if all(equal(gold, other) for other in others) else Verdict.WRONG
