"""Two ways to a small reasoning model: taught by the large one, or by reinforcement learning alone."""

from collections.abc import Mapping
from pathlib import Path

from r1flow.components.evals.compare import problem_means
from r1flow.components.evals.paired import compare


def verdict(evaluations: Mapping[str, Path], suite: str) -> str | None:
    """One sentence: which student is ahead on ``suite``, by the paired test on the same problems.

    None where one of the two was not evaluated, or on fewer than two common problems.
    """
    artifacts = [evaluations.get(model) for model in ("distilled", "student_rl")]
    if any(a is None or not (a / f"{suite}.parquet").exists() for a in artifacts):
        return None
    distilled, alone = (problem_means(a, suite) for a in artifacts if a is not None)
    common = sorted(set(distilled) & set(alone))
    if len(common) < 2:
        return None
    found = compare(distilled, alone)
    gap = found.difference
    taught, learned = (sum(means[p] for p in common) / len(common) for means in (distilled, alone))
    who = (
        "the distilled student is ahead of the one trained by RL only"
        if found.verdict == "better"
        else "the student trained by RL only is ahead of the distilled one"
        if found.verdict == "worse"
        else "neither student is clearly ahead"
    )
    return (
        f"On {suite} {who}: pass@1 {taught:.3f} distilled, {learned:.3f} by RL only; difference {gap.mean:+.3f} "
        f"(95 % interval {gap.low:+.3f} to {gap.high:+.3f}, paired over {len(common):,} problems, p = {found.p:.2g})."
    )
