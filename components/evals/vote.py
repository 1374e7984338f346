r"""Votes for cons@k: which samples of a problem gave the same answer, as the row's verifier sees it.

Answers are compared, never texts: ten chains that end in 1/2, 0.5, ``\frac12`` and 50 % are one vote of ten. What the
verifier calls right is the gold's answer and votes for it; only wrong answers have to be compared with one another.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from r1flow.components.core.schema import Row
from r1flow.components.core.verdict import Verdict
from r1flow.components.rewards.mathematics import quick
from r1flow.components.rewards.mathematics.normal_form import MAX_CHARS, normal
from r1flow.components.rewards.score import Judge
from r1flow.components.rewards.thought import CLOSE

Vote = str | None
GOLD = "\0gold"  # no answer reads like this: a null byte is quarantined in data and dropped here


@dataclass(frozen=True)
class _Pair:
    """Two wrong answers of a problem, by their normal forms: is the second what the first says?"""

    problem: int
    first: str
    second: str


def votes(
    answers: Sequence[Sequence[str | None]],
    correct: Sequence[Sequence[bool]],
    rows: Sequence[Row],
    judge: Judge,
) -> list[list[Vote]]:
    """For every problem its samples' votes: the same for answers that the verifier of ``rows[p]`` holds equal.

    ``answers[p][s]`` is what ``extract_answer`` gave, None has no vote; ``correct`` are the verdicts. Comparisons that
    need algebra go to ``judge``, which answers hostile ones too. They are made only where they can change who wins: a
    problem without a right answer, or with more right ones than wrong ones, is decided.
    """
    cast = [
        [GOLD if right else _key(answer, row) for answer, right in zip(said, marks, strict=True)]
        for said, marks, row in zip(answers, correct, rows, strict=True)
    ]
    merged = _Merged()
    algebra: list[_Pair] = []
    for index, (ballot, row) in enumerate(zip(cast, rows, strict=True)):
        if row.verifier == "math" and _undecided(ballot):
            for pair in _pairs(index, ballot, merged):
                same = _quick(pair)
                if same is None:
                    algebra.append(pair)
                elif same:
                    merged.merge(pair)
    golds = [
        Row(id=f"{rows[pair.problem].id}/vote-{number}", prompt="", answer=pair.first, verifier="math", source="vote")
        for number, pair in enumerate(algebra)
    ]
    scores = judge([CLOSE + _marked(pair.second) for pair in algebra], golds) if algebra else []
    for pair, score in zip(algebra, scores, strict=True):
        if score.verdict is Verdict.CORRECT:
            merged.merge(pair)
    return [
        [None if vote is None else merged.root(index, vote) for vote in ballot] for index, ballot in enumerate(cast)
    ]


class _Merged:
    """Answers that turned out to be another one, by problem."""

    def __init__(self) -> None:
        self._into: dict[tuple[int, str], str] = {}

    def root(self, problem: int, key: str) -> str:
        while (problem, key) in self._into:
            key = self._into[problem, key]
        return key

    def merge(self, pair: _Pair) -> None:
        first, second = self.root(pair.problem, pair.first), self.root(pair.problem, pair.second)
        if first != second:
            self._into[pair.problem, second] = first


def _key(answer: str | None, row: Row) -> Vote:
    if answer is None:
        return None
    if row.verifier != "math" or len(answer) > MAX_CHARS:
        return answer.replace("\0", "")
    return normal(answer).replace("\0", "")


def _undecided(ballot: Sequence[Vote]) -> bool:
    right = ballot.count(GOLD)
    wrong = len(ballot) - right - ballot.count(None)
    return 0 < right <= wrong


def _pairs(problem: int, ballot: Sequence[Vote], merged: _Merged) -> Iterator[_Pair]:
    """Pairs of different wrong answers in the order they were said, as far as they still differ when they are reached."""
    distinct = dict.fromkeys(vote for vote in ballot if vote is not None and vote != GOLD)
    keys = [key for key in distinct if key.strip() and len(key) <= MAX_CHARS]
    for place, second in enumerate(keys):
        for first in keys[:place]:
            if merged.root(problem, first) == first and merged.root(problem, second) == second:
                yield _Pair(problem, first, second)


def _marked(answer: str) -> str:
    return f"<answer>{answer}</answer>"


def _quick(pair: _Pair) -> bool | None:
    """Whether the two are equal, in bounded time; None when that takes algebra."""
    score = quick(pair.first, _marked(pair.second))
    return None if score is None else score.verdict is Verdict.CORRECT
