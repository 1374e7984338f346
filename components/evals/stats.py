"""Figures from k samples per problem, and how sure they are. Pure functions over plain numbers."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

Z95 = 1.959963984540054


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95 % interval (normal approximation, clustered by problem)."""

    mean: float
    low: float
    high: float


def pass_at_1(correct: Sequence[Sequence[bool]]) -> Estimate:
    """Mean over problems of the share of correct samples: R1's pass@1 with k samples.

    ``correct[p][s]`` is sample s of problem p. The interval is over problems, because samples of one problem are not
    independent: standard error = sd of the problems' shares / sqrt(number of problems).
    """
    return _mean([sum(samples) / len(samples) for samples in correct])


def pass_at_k(correct: Sequence[Sequence[bool]], k: int) -> float:
    """Unbiased ``1 - C(n - c, k) / C(n, k)``, averaged over problems (Chen et al. 2021, arXiv 2107.03374, eq. 1).

    >>> pass_at_k([[True, False]], 1)
    0.5
    """
    shares = []
    for samples in correct:
        n, c = len(samples), sum(samples)
        if k > n:
            raise ValueError(f"pass@{k} needs {k} samples a problem, one has {n}")
        shares.append(1 - math.comb(n - c, k) / math.comb(n, k))
    return sum(shares) / len(shares)


def cons_at_k(answers: Sequence[Sequence[str | None]], correct: Sequence[Sequence[bool]]) -> float:
    """Share of problems whose majority answer is correct; ``None`` (no answer) has no vote, ties go to the first said.

    ``answers[p][s]`` is the *extracted* answer: voting on whole texts would make every vote distinct.
    """
    right = 0
    for said, marks in zip(answers, correct, strict=True):
        votes = Counter(a for a in said if a is not None)
        if votes:
            winner = max(votes, key=lambda a: (votes[a], -said.index(a)))
            right += marks[said.index(winner)]
    return right / len(answers)


def paired_difference(new: Sequence[float], old: Sequence[float]) -> Estimate:
    """Mean of ``new - old`` per problem with its 95 % interval: the same problems, so their difficulty cancels out."""
    if len(new) != len(old):
        raise ValueError(f"a paired test needs the same problems: {len(new)} against {len(old)}")
    return _mean([a - b for a, b in zip(new, old, strict=True)])


def _mean(values: Sequence[float]) -> Estimate:
    mean = math.fsum(values) / len(values)
    if len(values) < 2:
        return Estimate(mean, mean, mean)
    variance = math.fsum((v - mean) ** 2 for v in values) / (len(values) - 1)
    error = Z95 * math.sqrt(variance / len(values))
    return Estimate(mean, mean - error, mean + error)
