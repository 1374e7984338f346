"""Dynamic sampling: groups whose rewards are all equal teach nothing, so further prompts are drawn in their place.

DAPO (arXiv 2503.14476) eq. 11 asks for groups with both right and wrong answers; here a group counts when two of its
rewards differ, compared exactly, so that a group with one success among many stays whatever its baseline.
"""

from collections.abc import Callable, Sequence

from r1flow.components.core.rollout import Rollout
from r1flow.components.training.rl.advantage import has_signal

Groups = list[tuple[Rollout, ...]]


def fill_groups(draw: Callable[[int, int], Groups], wanted: int, rounds: int) -> Groups:
    """All groups that were drawn: ``wanted`` of them, and as many again as lack signal, at most ``rounds`` times.

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
