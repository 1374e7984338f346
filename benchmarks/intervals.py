"""How often the 95 % intervals hold the truth, how wide they are, and what the paired test sees.

    python benchmarks/intervals.py [--evaluations 2000]

An evaluation draws each problem's true pass rate from a beta distribution with the mean pass rate and a concentration
(``spread``; 0.5: nearly every problem is always or never solved, ``none``: all problems are alike), then k samples of each.
The interval by problem has to hold the mean of the distribution, the interval by sample the mean of the drawn rates.
The paired test compares two models on the same problems; the second solves every problem with its rate times a factor,
so that the mean pass rates differ by ``gap``. ``shape`` are two models of the same mean with rates drawn on their own,
one near 0 and 1, the other near the mean: equally good, but with signs that are not quite a coin's where rates are high.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from r1flow.components.evals.paired import LEVEL, sign_flip_p
from r1flow.components.evals.stats import pass_at_1, pass_at_1_by_sample

PROBLEMS, SAMPLES, MEANS = (30, 500), (1, 16), (0.5, 0.9)
SPREADS = (0.5, 1.0, 2.0, 5.0, None)
GAPS = (0.0, "shape", 0.02, 0.05, 0.1)


@dataclass(frozen=True)
class Coverage:
    """Shares of evaluations whose interval held the truth, and the intervals' mean widths."""

    by_problem: float
    width: float
    by_sample: float
    sample_width: float


def coverage(
    problems: int, samples: int, mean: float, spread: float | None, evaluations: int, *, seed: int
) -> Coverage:
    rng = np.random.default_rng([seed, problems, samples, round(100 * mean)])
    held, width, sample_held, sample_width = 0, 0.0, 0, 0.0
    for _ in range(evaluations):
        rates = _rates(rng, problems, mean, spread)
        counts = rng.binomial(samples, rates).tolist()
        correct = [[True] * count + [False] * (samples - count) for count in counts]
        found, sampled = pass_at_1(correct), pass_at_1_by_sample(correct)
        held += found.low <= mean <= found.high
        width += found.high - found.low
        sample_held += bool(sampled.low <= rates.mean() <= sampled.high)
        sample_width += sampled.high - sampled.low
    return Coverage(*(value / evaluations for value in (held, width, sample_held, sample_width)))


def power(problems: int, samples: int, mean: float, gap: float | str, evaluations: int, *, seed: int) -> float:
    """How often the paired test says that two models differ; with a gap of 0 these are false alarms."""
    rng = np.random.default_rng([seed, problems, samples, round(100 * mean)])
    seen = 0
    for _ in range(evaluations):
        rates = _rates(rng, problems, mean, 1.0)
        other = _rates(rng, problems, mean, 4.0) if isinstance(gap, str) else rates * (1 - gap / mean)
        difference = (rng.binomial(samples, rates) - rng.binomial(samples, other)) / samples
        seen += sign_flip_p(difference.tolist()) <= LEVEL
    return seen / evaluations


def _rates(rng: np.random.Generator, problems: int, mean: float, spread: float | None) -> np.ndarray:
    return np.full(problems, mean) if spread is None else rng.beta(mean * spread, (1 - mean) * spread, problems)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--evaluations", type=int, default=2000)
    evaluations = parser.parse_args().evaluations
    print("problems  k  mean spread | by problem: held  width | by sample: held  width")
    cells = [(n, k, mean) for n in PROBLEMS for k in SAMPLES for mean in MEANS]
    for n, k, mean in cells:
        for spread in SPREADS:
            c = coverage(n, k, mean, spread, evaluations, seed=0)
            metrics = f"{c.by_problem:16.3f} {c.width:6.3f} | {c.by_sample:15.3f} {c.sample_width:6.3f}"
            print(f"{n:8} {k:2} {mean:5} {spread or 'none':>6} | {metrics}", flush=True)
    print("\npaired test, share of comparisons that show a difference, by gap\nproblems  k  mean |", *GAPS, sep="  ")
    for n, k, mean in cells:
        shares = "  ".join(f"{power(n, k, mean, gap, evaluations, seed=0):.3f}" for gap in GAPS)
        print(f"{n:8} {k:2} {mean:5} |  {shares}", flush=True)


if __name__ == "__main__":
    main()
