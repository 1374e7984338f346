"""How hard problems are: counts of what models answered, problem by problem, and what follows from them.

A problem is known by its row's id and a digest of what was asked and what counted as right, so that rows of two datasets that
share an id do not meet, and the same row in two datasets does.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from r1flow.components.core.schema import Row
from r1flow.components.core.verdict import Verdict
from r1flow.components.data.curation.text import normalise

SCORED = tuple(verdict for verdict in Verdict if verdict is not Verdict.INFRA)
"""Verdicts that count; anything else says that nothing was judged."""


def problem_key(row: Row) -> str:
    """``<id>#<16 hex digits>`` of the normalised prompt, the answer and the verifier."""
    asked = "\0".join((normalise(row.prompt), row.answer, row.verifier))
    return f"{row.id}#{sha256(asked.encode()).hexdigest()[:16]}"


@dataclass(frozen=True)
class RatedModel:
    """Who answered: the artifact whose lake it is, and its stage's name."""

    artifact: str
    stage: str

    def is_called(self, name: str) -> bool:
        """By its stage (``dev2``) or by its artifact's address or the beginning of it (``grpo/5f2a``)."""
        return name == self.stage or self.artifact.startswith(name)


@dataclass
class Count:
    """Scored samples of one problem by one policy, and the steps they are from."""

    samples: int = 0
    correct: int = 0
    first_step: int = 0
    last_step: int = 0


@dataclass
class Tally:
    """Everything that is known about one problem."""

    row: Row
    unscored: int = 0
    policies: dict[RatedModel, Count] = field(default_factory=dict)
    answers: Counter[str | None] = field(default_factory=Counter)
    right: Counter[str | None] = field(default_factory=Counter)

    def add(self, policy: RatedModel, step: int, verdict: str | None, answer: str | None) -> None:
        """One sample. An answer is text reduced as the verifier reads it, None where there is none to read."""
        if verdict not in SCORED:
            self.unscored += 1
            return
        count = self.policies.setdefault(policy, Count(first_step=step))
        count.samples += 1
        count.correct += verdict == Verdict.CORRECT
        count.first_step, count.last_step = min(count.first_step, step), max(count.last_step, step)
        self.answers[answer] += 1
        self.right[answer] += verdict == Verdict.CORRECT

    @property
    def samples(self) -> int:
        return self.answers.total()

    @property
    def correct(self) -> int:
        return self.right.total()

    @property
    def pass_rate(self) -> float | None:
        return self.correct / self.samples if self.samples else None

    @property
    def majority(self) -> str | None:
        """The most frequent answer that can be read; of equally frequent ones the first in order."""
        named = [(-number, answer) for answer, number in self.answers.items() if answer is not None]
        return min(named)[1] if named else None

    @property
    def majority_share(self) -> float:
        """Its part of all scored samples, those without an answer included."""
        return self.answers[self.majority] / self.samples if self.majority is not None else 0.0

    @property
    def majority_correct(self) -> bool:
        """Whether the verifier took the majority's answer for right, at least half of the times it was given."""
        return self.majority is not None and 2 * self.right[self.majority] >= self.answers[self.majority]


def never_solved(tallies: Iterable[Tally], min_samples: int) -> list[Tally]:
    """Problems with at least ``min_samples`` scored samples, none of them correct; the most tried first."""
    found = [t for t in tallies if t.samples >= min_samples and not t.correct]
    return sorted(found, key=lambda t: (-t.samples, problem_key(t.row)))


def label_looks_wrong(tallies: Iterable[Tally], min_samples: int, agreement: float = 0.9) -> list[Tally]:
    """Problems on which models agree with one another and not with the gold answer.

    At least ``agreement`` of at least ``min_samples`` scored samples give one and the same answer, and it is not right. The
    answer may still be a common mistake: the list is for eyes.
    """
    found = [
        t for t in tallies if t.samples >= min_samples and t.majority_share >= agreement and not t.majority_correct
    ]
    return sorted(found, key=lambda t: (-t.majority_share, -t.samples, problem_key(t.row)))


@dataclass(frozen=True)
class Kept:
    """Rows within the bounds, and how many were not: solved too rarely, too often, or rated by too few samples."""

    rows: list[Row]
    too_hard: int
    too_easy: int
    unrated: int


def within(
    rows: Sequence[Row], rates: Mapping[str, tuple[int, int]], *, low: float, high: float, min_samples: int
) -> Kept:
    """Rows whose pass rate lies in [low, high]; ``rates`` has (samples, correct) by problem key."""
    kept: list[Row] = []
    hard = easy = unrated = 0
    for row in rows:
        samples, correct = rates.get(problem_key(row), (0, 0))
        if samples < max(1, min_samples):
            unrated += 1
        elif correct / samples < low:  # a quotient, which rounds to what the bound was written as
            hard += 1
        elif correct / samples > high:
            easy += 1
        else:
            kept.append(row)
    return Kept(kept, hard, easy, unrated)


def easy_to_hard(rows: Sequence[Row], rates: Mapping[str, tuple[int, int]], num: int) -> list[Row]:
    """The rows by falling pass rate; of more than ``num`` so many, evenly spread, so that the hardest come last too.

    >>> [round(i * (5 - 1) / (3 - 1)) for i in range(3)]  # 3 places out of 5
    [0, 2, 4]
    """

    def rate(row: Row) -> float:
        samples, correct = rates[problem_key(row)]
        return correct / samples

    ordered = sorted(rows, key=lambda row: (-rate(row), problem_key(row)))
    if num >= len(ordered):
        return ordered
    if num == 1:
        return [ordered[len(ordered) // 2]]
    return [ordered[round(place * (len(ordered) - 1) / (num - 1))] for place in range(num)]
