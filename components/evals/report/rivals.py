"""Models of one start model that are not made from each other, such as a taught and a self-taught student, by the paired test."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from r1flow.components.evals.compare import problem_means
from r1flow.components.evals.paired import Comparison, compare, holm
from r1flow.components.evals.report.names import Names

Pair = tuple[str, str]


def verdicts(evaluations: Mapping[str, Path], suite: str, pairs: Sequence[Pair], names: Names) -> dict[Pair, str]:
    """A sentence for every pair: which model is ahead on ``suite``, on the problems that both answered.

    p is Holm's over all pairs. Left out is a pair of which one was not measured on the suite, or with fewer than two common
    problems.
    """
    shares = {
        model: problem_means(evaluations[model], suite)
        for model in dict.fromkeys(model for pair in pairs for model in pair)
        if model in evaluations and (evaluations[model] / f"{suite}.parquet").is_file()
    }
    found = {
        (one, other): compare(shares[one], shares[other])
        for one, other in pairs
        if len(shares.get(one, {}).keys() & shares.get(other, {}).keys()) > 1
    }
    corrected = holm([comparison.p for comparison in found.values()])
    return {
        pair: _sentence(pair, shares, suite, replace(comparison, corrected=p), names)
        for (pair, comparison), p in zip(found.items(), corrected, strict=True)
    }


def _sentence(
    pair: Pair, shares: Mapping[str, Mapping[str, float]], suite: str, found: Comparison, names: Names
) -> str:
    one, other = (names.title(model) for model in pair)
    common = sorted(shares[pair[0]].keys() & shares[pair[1]].keys())
    rates = [sum(shares[model][problem] for problem in common) / len(common) for model in pair]
    who = {"better": f"{one} is ahead of {other}", "worse": f"{other} is ahead of {one}"}.get(
        found.verdict, f"neither {one} nor {other} is clearly ahead"
    )
    gap = found.difference
    return (
        f"On {suite} {who}: pass@1 {rates[0]:.3f} for {one}, {rates[1]:.3f} for {other}; difference {gap.mean:+.3f} "
        f"(95 % interval {gap.low:+.3f} to {gap.high:+.3f}, paired over {len(common):,} problems, p = {found.corrected:.2g})."
    )
