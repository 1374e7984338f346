"""Figures from k samples per problem, and how sure they are. Pure functions over plain numbers.

Every interval is a 95 % interval. The samples of one problem are not independent, so problems are the clusters: a share
of n problems with k samples each is worth somewhere between n and n * k coin tosses, and how many is estimated from the
spread of the problems' own shares. Wilson's interval for that many tosses stays inside 0 and 1 and holds for few
problems and for shares near 1, where mean plus and minus two standard errors does not (``benchmarks/intervals.py``).
"""

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from scipy.special import stdtrit

PRIOR = 4
"""Problems (samples) of the greatest spread there can be, counted in with those that were seen: a few problems that
happen to agree must not pass for certainty."""


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95 % interval."""

    mean: float
    low: float
    high: float


def clustered_share(shares: Sequence[float], num_samples: int) -> Estimate:
    """Mean of the problems' ``shares`` (each 0 to 1, from ``num_samples`` samples in all), over problems like these.

    With ``v`` the variance of the n shares, PRIOR problems of variance ``m (1 - m)`` counted in, the effective number of
    tosses is ``n m (1 - m) / v``, at least n and at most ``num_samples``; Wilson's interval takes it with Student's
    quantile of n - 1 degrees of freedom. One problem says nothing about others: 0 to 1. ValueError without problems.

    >>> clustered_share([1.0] * 30, 30).low > 0.85
    True
    """
    n = len(shares)
    if not n:
        raise ValueError("a share of no problems")
    mean = math.fsum(shares) / n
    if n == 1:
        return Estimate(mean, 0.0, 1.0)
    spread = math.fsum((share - mean) ** 2 for share in shares)
    variance = (spread + PRIOR * _widest(mean, n)) / (n - 1 + PRIOR)
    effective = n * mean * (1 - mean) / variance
    return _wilson(mean, min(max(effective, n), num_samples), _student(n - 1))


def pass_at_1(correct: Sequence[Sequence[bool]]) -> Estimate:
    """Mean over problems of the share of correct samples: R1's pass@1 with k samples, the same for every k.

    ``correct[p][s]`` is sample s of problem p. The interval is by problem: where the metric may lie for all problems of
    which these are a sample. More samples narrow it only as far as each problem's own share was unsure.
    """
    shares = [sum(samples) / len(samples) for samples in correct]
    return clustered_share(shares, sum(len(samples) for samples in correct))


def pass_at_1_by_sample(correct: Sequence[Sequence[bool]]) -> Estimate:
    """The same mean with its interval by sample: where it may lie for these very problems, were they sampled without end.

    Standard error ``sqrt(mean over problems of p (1 - p)) / sqrt(samples)``, p (1 - p) estimated within each problem,
    PRIOR samples counted in; with one sample a problem nothing is known of it, and the largest is taken.
    """
    n, total = len(correct), sum(len(samples) for samples in correct)
    mean = math.fsum(sum(samples) / len(samples) for samples in correct) / n
    within = math.fsum(
        sum(s) * (len(s) - sum(s)) / len(s) for s in correct
    )  # sum of squares around each problem's mean
    freedom = total - n
    variance = (within + PRIOR * _widest(mean, total)) / (freedom + PRIOR)
    weight = math.fsum(1 / len(samples) for samples in correct) / n**2  # 1 / total where all k are the same
    effective = mean * (1 - mean) / (variance * weight)
    return _wilson(mean, max(effective, 1 / weight), _student(max(freedom, n - 1, 1)))


def pass_at_k(correct: Sequence[Sequence[bool]], k: int) -> float:
    """Unbiased ``1 - C(n - c, k) / C(n, k)``, averaged over problems (Chen et al. 2021, arXiv 2107.03374, eq. 1).

    >>> pass_at_k([[True, False]], 1)
    0.5
    """
    shares = pass_at_k_shares(correct, k)
    return math.fsum(shares) / len(shares)


def pass_at_k_shares(correct: Sequence[Sequence[bool]], k: int) -> list[float]:
    """Every problem's part in :func:`pass_at_k`. ValueError where a problem has fewer than ``k`` samples."""
    shares = []
    for samples in correct:
        n, c = len(samples), sum(samples)
        if k > n:
            raise ValueError(f"pass@{k} needs {k} samples a problem, one has {n}")
        shares.append(1 - math.comb(n - c, k) / math.comb(n, k))
    return shares


def cons_at_k(votes: Sequence[Sequence[Hashable | None]], correct: Sequence[Sequence[bool]]) -> float:
    """Share of problems whose majority answer is correct; ``None`` (no answer) has no vote, ties go to the first said.

    ``votes[p][s]`` names the *answer* of a sample, the same name for answers that the verifier holds equal
    (``r1flow.components.evals.vote``): voting on whole texts would make every vote distinct.
    """
    return sum(majority_is_correct(*problem) for problem in zip(votes, correct, strict=True)) / len(votes)


def majority_is_correct(votes: Sequence[Hashable | None], correct: Sequence[bool]) -> bool:
    """Whether the answer that most samples of a problem gave is correct."""
    counts = Counter(vote for vote in votes if vote is not None)
    if not counts:
        return False
    winner = max(counts, key=lambda vote: (counts[vote], -votes.index(vote)))
    return bool(correct[votes.index(winner)])


def paired_difference(new: Sequence[float], old: Sequence[float]) -> Estimate:
    """Mean of ``new - old`` per problem with its 95 % interval: the same problems, so their difficulty cancels out.

    Student's interval over the n differences; a single difference has none, and equal ones have a point.
    """
    if len(new) != len(old):
        raise ValueError(f"a paired test needs the same problems: {len(new)} against {len(old)}")
    values = [a - b for a, b in zip(new, old, strict=True)]
    mean = math.fsum(values) / len(values)
    if len(values) < 2:
        return Estimate(mean, mean, mean)
    variance = math.fsum((v - mean) ** 2 for v in values) / (len(values) - 1)
    error = _student(len(values) - 1) * math.sqrt(variance / len(values))
    return Estimate(mean, mean - error, mean + error)


def _wilson(mean: float, effective: float, quantile: float) -> Estimate:
    """Wilson's interval of a share that ``effective`` independent tosses gave."""
    shift = quantile**2 / effective
    centre = (mean + shift / 2) / (1 + shift)
    half = quantile / (1 + shift) * math.sqrt(mean * (1 - mean) / effective + shift / (4 * effective))
    return Estimate(mean, max(0.0, min(mean, centre - half)), min(1.0, max(mean, centre + half)))


def _widest(mean: float, n: int) -> float:
    """The variance of a coin of this mean, pulled off 0 and 1 by half a toss."""
    moved = (mean * n + 0.5) / (n + 1)
    return moved * (1 - moved)


def _student(freedom: int) -> float:
    return float(stdtrit(freedom, 0.975))
