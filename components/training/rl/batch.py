"""Which prompts a step takes, as a pure function of (seed, step), and further ones where groups teach nothing.

The data order needs no saved cursor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from random import Random
from typing import TYPE_CHECKING

from r1flow.components.core.errors import DataError
from r1flow.components.core.rollout import Rollout
from r1flow.components.core.seeds import derive_seed
from r1flow.components.training.rl.advantage import has_signal

if TYPE_CHECKING:
    from r1flow.components.core.schema import Row

Groups = list[tuple[Rollout, ...]]


def prompts_of_step(
    pools: Mapping[str, Sequence[Row]],
    mixture: Mapping[str, float],
    *,
    step: int,
    num: int,
    seed: int,
    shuffled: bool = True,
) -> list[Row]:
    """``num`` prompts of step ``step`` (from 1), each skill by its share, each skill's pool shuffled anew per epoch.

    A pool is walked in order: no prompt comes twice before every other has come once. Without ``shuffled`` the order is the
    pool's own in every epoch.
    """
    rows: list[Row] = []
    for skill, count in apportion(mixture, num).items():
        pool = pools.get(skill, ())
        if count and not pool:
            raise DataError(f"mixture names skill {skill!r}, of which the dataset has no row; it has {sorted(pools)}")
        for position in range((step - 1) * count, step * count):
            epoch, index = divmod(position, len(pool))
            if shuffled:
                index = _order(len(pool), derive_seed(seed, "prompts", skill, epoch))[index]
            rows.append(pool[index])
    return rows


def apportion(mixture: Mapping[str, float], num: int) -> dict[str, int]:
    """``num`` split by weight into whole numbers, the largest remainders rounded up.

    >>> apportion({"sum": 3.0, "string": 1.0}, 10)
    {'sum': 8, 'string': 2}
    """
    total = sum(mixture.values())
    exact = {skill: num * weight / total for skill, weight in mixture.items()}
    counts = {skill: int(share) for skill, share in exact.items()}
    by_remainder = sorted(exact, key=lambda skill: counts[skill] - exact[skill])
    for skill in by_remainder[: num - sum(counts.values())]:
        counts[skill] += 1
    return counts


@lru_cache(maxsize=16)
def _order(size: int, seed: int) -> list[int]:
    order = list(range(size))
    Random(seed).shuffle(order)
    return order


def fill_groups(draw: Callable[[int, int], Groups], wanted: int, rounds: int) -> Groups:
    """All groups that were drawn: ``wanted`` of them, and as many again as lack signal, at most ``rounds`` times.

    Dynamic sampling: groups whose rewards are all equal teach nothing, so further prompts are drawn in their place. DAPO
    (arXiv 2503.14476) eq. 11 asks for groups with both right and wrong answers; here a group counts when two of its
    rewards differ, compared exactly, so that a group with one success among many stays whatever its baseline.

    ``draw(round, num)`` samples ``num`` groups; round 0 is the step's own prompts. Never more than ``wanted`` of the result
    have signal, so none that teaches is thrown away. When the rounds are used up there are fewer.
    """
    groups = draw(0, wanted)
    for number in range(1, rounds + 1):
        missing = wanted - sum(teaches(group) for group in groups)
        if missing <= 0:
            break
        groups += draw(number, missing)
    return groups


def teaches(group: Sequence[Rollout]) -> bool:
    """Whether two scored rewards of the group differ."""
    return has_signal([r.reward for r in group])
