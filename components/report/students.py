"""Two ways to a small reasoning model: taught by the large one, or by reinforcement learning alone."""

from collections.abc import Mapping
from pathlib import Path

from components.evals.compare import problem_means
from components.evals.stats import paired_difference


def verdict(evaluations: Mapping[str, Path], suite: str) -> str | None:
    """One sentence: which student is ahead on ``suite``, by the 95 % interval of the paired difference.

    None where one of the two was not evaluated, or on fewer than two common problems.
    """
    artifacts = [evaluations.get(model) for model in ("distilled", "student_rl")]
    if any(a is None or not (a / f"{suite}.parquet").exists() for a in artifacts):
        return None
    distilled, alone = (problem_means(a, suite) for a in artifacts if a is not None)
    common = sorted(set(distilled) & set(alone))
    if len(common) < 2:
        return None
    gap = paired_difference([distilled[p] for p in common], [alone[p] for p in common])
    taught, learned = (sum(means[p] for p in common) / len(common) for means in (distilled, alone))
    who = (
        "the distilled student is ahead of the one trained by RL only"
        if gap.low > 0
        else "the student trained by RL only is ahead of the distilled one"
        if gap.high < 0
        else "neither student is clearly ahead"
    )
    return (
        f"On {suite} {who}: pass@1 {taught:.3f} distilled, {learned:.3f} by RL only; difference {gap.mean:+.3f} "
        f"(95 % interval {gap.low:+.3f} to {gap.high:+.3f}, paired over {len(common):,} problems)."
    )
