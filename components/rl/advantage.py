"""Group-relative advantages: how much better a completion is than the others of its prompt.

Pure functions over rewards. ``None`` means "not scored" (an infrastructure failure, unusable gold): such a completion
has advantage 0 and takes no part in its group's mean and deviation.
"""

import math
from collections.abc import Sequence

EPS = 1e-4


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
    deviation = math.sqrt(math.fsum((r - mean) ** 2 for r in scored) / (len(scored) - 1))
    divisor = deviation + EPS if scale else 1.0
    return [0.0 if r is None else (r - mean) / divisor for r in rewards]


def has_signal(rewards: Sequence[float | None]) -> bool:
    """Whether a group teaches anything: two scored rewards that differ, compared exactly."""
    return len({r for r in rewards if r is not None}) > 1
