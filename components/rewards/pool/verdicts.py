"""What a try that went wrong says about the item; ``pool`` gives the reasons."""

from r1flow.components.core.verdict import Verdict
from r1flow.components.rewards.base import Score
from r1flow.components.rewards.pool.process import Death
from r1flow.components.rewards.pool.turns import Item

TRIES = 2
OUTSIDE_TRIES = 5
STARVED_TRIES = 3
STARVED_SHARE = 0.5
"""Of its clock: an answer that got the processor for less has not been slow, the machine has."""


def over_the_clock(item: Item, seconds: float, cpu: float, *, gold_passed: bool) -> Score | None:
    """Not done within its clock, of which it had the processor for ``cpu`` seconds. None: try it again."""
    if cpu < STARVED_SHARE * seconds and item.row.verifier != "code":
        item.starved += 1
        if item.starved < STARVED_TRIES:
            return None
    if not gold_passed:
        return Score.unusable("gold takes too long")
    return Score.of(Verdict.TIMEOUT, detail=f"not judged within {seconds:g} s")


def failed(reason: str, *, memory: bool, gold_passed: bool) -> Score:
    """The judge raised, and the worker said so."""
    if not gold_passed:
        return Score.unusable(f"gold stops the verifier: {reason}")
    return Score.of(Verdict.MEMORY if memory else Verdict.WRONG, detail=f"stopped the verifier: {reason}")


def after_death(item: Item, death: Death, name: str, *, gold_passed: bool) -> Score | None:
    """The verdict after one more worker has died over ``item``; None: try it again. ``name`` says how it died."""
    if death is Death.OUTSIDE and item.row.verifier != "code":
        item.outside += 1
        if item.outside < OUTSIDE_TRIES:
            return None
        return Score.of(Verdict.INFRA, detail=f"{OUTSIDE_TRIES} workers were killed from outside ({name})")
    item.deaths += 1
    if item.deaths < TRIES:
        return None
    if not gold_passed:
        return Score.unusable(f"gold crashes the verifier ({name})")
    if death is Death.MEMORY:
        return Score.of(Verdict.MEMORY, detail=f"out of memory ({name})")
    return Score.of(Verdict.WRONG, detail=f"crashed the verifier ({name})")
