"""Models compared on the same problems: a test that is exact, and what it shows in words.

Problems are the clusters: a problem's difference is the share of correct samples of one model less that of the other. If
the models are equally good the sign of every difference is a coin's, so the sum of all differences has a distribution
that can be written down. This sign-flip test (Fisher's) is exact for any number of problems and samples, where Student's
test says "better" too often when most differences are 0.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from r1flow.components.evals.stats import Estimate, paired_difference

LEVEL = 0.04
"""p at which models are told apart: a margin below 5 %, because equally good models that differ in shape have signs that
are not quite a coin's (``benchmarks/intervals.py``: up to 0.049 false alarms at this level)."""
GRID = 20160  # shares of k samples are whole multiples of 1 / GRID for k up to 10, 12, 14 to 16, 18, 20, 32, 64
CELLS = 1 << 20


@dataclass(frozen=True)
class Comparison:
    """One model against another: the mean difference with its interval, the test's p, and p with Holm's correction."""

    difference: Estimate
    problems: int
    p: float
    corrected: float

    @property
    def verdict(self) -> str:
        """``better``, ``worse``, or ``no difference shown at n = ...``: what the corrected p shows."""
        if self.corrected > LEVEL or self.difference.mean == 0:
            return f"no difference shown at n = {self.problems}"
        return "better" if self.difference.mean > 0 else "worse"

    def __str__(self) -> str:
        found = self.difference
        return f"{self.verdict} ({found.mean:+.3f}, {found.low:+.3f} to {found.high:+.3f}, p = {self.corrected:.2g})"


def sign_flip_p(differences: Sequence[float]) -> float:
    """Two-sided p of ``|sum of the differences|`` over all ways to give them signs; 1 where all are 0 or there is none.

    The distribution is built up difference by difference on a grid of 1/GRID (coarser where there are very many odd
    ones). Rounding to a grid keeps signs exchangeable, so the test stays exact.

    >>> sign_flip_p([1.0] * 5 + [0.0] * 95)
    0.0625
    """
    units = np.rint(np.abs(np.asarray(differences, dtype=np.float64)) * GRID).astype(np.int64)
    signs = np.sign(np.asarray(differences, dtype=np.float64)).astype(np.int64)
    if units.sum() > 0:
        units //= np.gcd.reduce(units)
    if units.sum() > CELLS:
        units = np.rint(units * (CELLS / units.sum())).astype(np.int64)
    total = int(units.sum())
    if total == 0:
        return 1.0
    chances = np.zeros(total + 1)  # of the sum of those units whose sign is plus
    chances[0] = 1.0
    reached = 0
    for unit in units[units > 0].tolist():
        moved = chances[: reached + 1] / 2
        chances[: reached + 1] /= 2
        chances[unit : reached + unit + 1] += moved
        reached += unit
    observed = abs(int((units * signs).sum()))
    sums = np.abs(2 * np.arange(total + 1) - total)
    return min(1.0, float(chances[sums >= observed].sum()))


def holm(ps: Sequence[float]) -> list[float]:
    """p values of several tests, each raised so that one false alarm among all of them stays below the level (Holm 1979).

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    corrected = [0.0] * len(ps)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(ps)), key=ps.__getitem__)):
        largest = max(largest, min(1.0, (len(ps) - rank) * ps[index]))
        corrected[index] = largest
    return corrected


def compare(new: Mapping[str, float], old: Mapping[str, float]) -> Comparison:
    """One comparison; both hold the share of correct samples per problem. ValueError where they have none in common."""
    return compare_all({"": new}, old)[""]


def compare_all(models: Mapping[str, Mapping[str, float]], baseline: Mapping[str, float]) -> dict[str, Comparison]:
    """Every model against ``baseline``, on the problems that both answered, with Holm's correction over the models."""
    found: dict[str, tuple[Estimate, int, float]] = {}
    for name, shares in models.items():
        common = sorted(set(shares) & set(baseline))
        if not common:
            raise ValueError("two models that have no problem in common cannot be compared")
        differences = [shares[problem] - baseline[problem] for problem in common]
        estimate = paired_difference([shares[p] for p in common], [baseline[p] for p in common])
        found[name] = (estimate, len(common), sign_flip_p(differences))
    corrected = holm([p for _, _, p in found.values()])
    return {name: Comparison(*values, raised) for (name, values), raised in zip(found.items(), corrected, strict=True)}
