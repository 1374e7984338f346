"""Which gradients are compared: every objective, cut, packing and engine."""

from collections.abc import Iterable, Iterator
from itertools import product
from typing import Any, Literal, NamedTuple, get_args

from r1flow.components.recipe.grpo import Algorithm, GrpoConfig

MICRO = (1, 4, 16, 64)
STAGES = (0, 1, 2, 3)
KL_WEIGHT = 0.05


class Case(NamedTuple):
    """One gradient. ``stage`` is DeepSpeed's ZeRO stage, or None for the plain engine."""

    objective: str
    micro: int
    packed: bool
    stage: Literal[0, 1, 2, 3] | None

    @property
    def name(self) -> str:
        return "/".join([_engine(self.stage), "packed" if self.packed else "padded", str(self.micro), self.objective])


def _engine(stage: int | None) -> str:
    return "single" if stage is None else f"zero {stage}"


def settings() -> dict[str, GrpoConfig]:
    """Every algorithm with its own defaults, with and without a divergence; and GRPO as it is on-policy.

    PPO's objective is GRPO's: other advantages, and a divergence that stands in the reward.
    With more than one mini-batch the ratio differs from 1; the divergence stands in the loss of any algorithm.
    """
    found: dict[str, Any] = {"grpo on-policy": {"algorithm": "grpo"}}
    for algorithm in (name for name in get_args(Algorithm) if name != "ppo"):
        found[algorithm] = {"algorithm": algorithm, "mini_batches": 2}
        found[f"{algorithm} kl"] = found[algorithm] | {"kl_weight": KL_WEIGHT}
    return {name: GrpoConfig(steps=1, learning_rate=1.0, max_tokens=24, **values) for name, values in found.items()}


def all_cases(stages: Iterable[Literal[0, 1, 2, 3] | None]) -> list[Case]:
    """The whole product over ``stages``, engine by engine."""
    return [Case(o, m, p, s) for s, p, m, o in product(stages, (False, True), MICRO, settings())]


def by_stage(cases: Iterable[Case]) -> Iterator[tuple[Literal[0, 1, 2, 3] | None, list[Case]]]:
    """The cases of each engine together: an engine is made once."""
    groups: dict[Literal[0, 1, 2, 3] | None, list[Case]] = {}
    for case in cases:
        groups.setdefault(case.stage, []).append(case)
    yield from groups.items()
