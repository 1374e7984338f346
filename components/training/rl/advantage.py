"""Group-relative advantages: how much better a completion is than the others of its prompt.

Pure functions over rewards. ``None`` means "not scored" (an infrastructure failure, unusable gold): such a completion
has advantage 0 and takes no part in its group's mean and deviation.
"""

import math
from collections.abc import Sequence
from typing import Literal

EPS = 1e-4

Advantage = Literal["group_std", "batch_std", "mean", "leave_one_out", "gae"]


def batch_advantages(groups: Sequence[Sequence[float | None]], method: Advantage) -> list[list[float]]:
    """One advantage per completion of every group, by ``method``.

    ``group_std`` and ``mean``: :func:`group_advantages` with and without its scale. ``batch_std``: the group's mean taken
    off, divided by the deviation of all rewards of the batch (REINFORCE++-baseline, arXiv 2501.03262; TRL's
    ``scale_rewards="batch"``), so that an easy or a hard group is not blown up. ``leave_one_out``: :func:`leave_one_out`.
    ``gae``: zeros, for PPO's value model gives every token its own (:mod:`r1flow.components.training.rl.critic`).

    >>> batch_advantages([[1.0, 0.0], [1.0, 1.0]], "mean")
    [[0.5, -0.5], [0.0, 0.0]]
    """
    if method == "gae":
        return [[0.0] * len(rewards) for rewards in groups]
    if method == "leave_one_out":
        return [leave_one_out(rewards) for rewards in groups]
    if method != "batch_std":
        return [group_advantages(rewards, scale=method == "group_std") for rewards in groups]
    scored = [r for rewards in groups for r in rewards if r is not None]
    if len(scored) < 2:
        return [[0.0] * len(rewards) for rewards in groups]
    divisor = _deviation(scored, math.fsum(scored) / len(scored)) + EPS
    return [[a / divisor for a in group_advantages(rewards, scale=False)] for rewards in groups]


def group_advantages(rewards: Sequence[float | None], *, scale: bool = True) -> list[float]:
    """``A_i = (r_i - mean(r)) / (std(r) + eps)`` over one group; without ``scale``, ``r_i - mean(r)``.

    DeepSeekMath (arXiv 2402.03300) eq. 3 and R1 eq. 3; sample deviation (n - 1) and eps 1e-4 as TRL has them. ``scale``
    off is Dr. GRPO (arXiv 2503.20783). A group whose rewards are all *exactly* equal has no signal and gets zeros: the
    test is on the rewards, because rounding makes the deviation of equal rewards a tiny number and the quotient huge.

    >>> group_advantages([1.0, 0.0], scale=False)
    [0.5, -0.5]
    >>> group_advantages([0.3, 0.3, None])
    [0.0, 0.0, 0.0]
    """
    scored = [r for r in rewards if r is not None]
    if not has_signal(rewards):
        return [0.0] * len(rewards)
    mean = math.fsum(scored) / len(scored)
    divisor = _deviation(scored, mean) + EPS if scale else 1.0
    return [0.0 if r is None else (r - mean) / divisor for r in rewards]


def leave_one_out(rewards: Sequence[float | None]) -> list[float]:
    """``A_i = r_i - mean of the others' r``: RLOO (arXiv 2402.14740), an unbiased baseline.

    It is ``n / (n - 1)`` times ``r_i - mean(r)``, n the scored completions. Signal is measured in the rewards, not by these
    numbers: one right answer among wrong ones is signal.

    >>> leave_one_out([1.0, 0.0, 0.0, None])
    [1.0, -0.5, -0.5, 0.0]
    """
    if not has_signal(rewards):
        return [0.0] * len(rewards)
    scored = [r for r in rewards if r is not None]
    total = math.fsum(scored)
    return [0.0 if r is None else r - (total - r) / (len(scored) - 1) for r in rewards]


def has_signal(rewards: Sequence[float | None]) -> bool:
    """Whether a group teaches anything: two scored rewards that differ, compared exactly."""
    return len({r for r in rewards if r is not None}) > 1


def _deviation(values: Sequence[float], mean: float) -> float:
    return math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (len(values) - 1))
