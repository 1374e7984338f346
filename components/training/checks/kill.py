"""Processes that kill themselves with SIGKILL at a chosen point of a training step.

Nothing in training knows of this: the classes that it uses are wrapped, in a process that lives for this alone. Of several
ranks the last one dies, but for checkpoints, which rank 0 alone writes; the launcher ends the others.
"""

import functools
import os
import signal
from collections.abc import Callable
from typing import Any, Literal

from r1flow.components.rewards.score import Scorer
from r1flow.components.sampling.transformers import TransformersSampler
from r1flow.components.store import checkpoint
from r1flow.components.store.checkpoint import Checkpoints
from r1flow.components.training.engines import ranks
from r1flow.components.training.engines.deepspeed import DeepSpeedEngine
from r1flow.components.training.engines.single import SingleEngine
from r1flow.components.training.rl.trainer import GrpoTrainer

Point = Literal["sampling", "scoring", "step", "checkpoint", "weight sync"]
PLACES: dict[Point, str] = {
    "sampling": "as the first completion has ended and the others go on",
    "scoring": "with the scores computed and not yet used",
    "step": "between the two optimizer steps of a rollout batch",
    "checkpoint": "with all files of the checkpoint stored, and no COMPLETE.json",
    "weight sync": "with the new weights loaded and not yet proved",
}


def arm(point: Point, step: int) -> None:
    """From now on this process dies at ``point`` of ``step``."""
    now = [0]  # the step under way

    def die() -> None:
        victim = 0 if point == "checkpoint" else ranks.world_size() - 1
        if now[0] == step and ranks.rank() == victim:
            os.kill(os.getpid(), signal.SIGKILL)

    def begins(inner: Callable[..., Any], trainer: GrpoTrainer, number: int) -> Any:
        now[0] = number
        return inner(trainer, number)

    def checkpoint_begins(inner: Callable[..., Any], self: Checkpoints, number: int, *rest: Any) -> Any:
        now[0] = number
        return inner(self, number, *rest)

    def ends_within(inner: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        done = inner(*arguments, **named)
        die()
        return done

    def samples(inner: Callable[..., Any], *arguments: Any, finished: Any = None) -> Any:
        done = inner(*arguments, finished=lambda *told: die())
        die()  # none had ended before all did
        return done

    _wrap(GrpoTrainer, "step", begins)
    match point:
        case "sampling":
            _wrap(TransformersSampler, "generate", samples)
        case "scoring":
            _wrap(Scorer, "__call__", ends_within)
        case "step":
            _wrap(SingleEngine, "step", ends_within)
            _wrap(DeepSpeedEngine, "step", ends_within)
        case "checkpoint":
            _wrap(Checkpoints, "save", checkpoint_begins)
            _wrap(checkpoint, "upload", ends_within)
        case "weight sync":
            _wrap(TransformersSampler, "load_weights", ends_within)


def _wrap(owner: Any, name: str, wrapper: Callable[..., Any]) -> None:
    """``owner.name(...)`` becomes ``wrapper(the former, ...)``."""
    inner = getattr(owner, name)

    @functools.wraps(inner)
    def outer(*arguments: Any, **named: Any) -> Any:
        return wrapper(inner, *arguments, **named)

    setattr(owner, name, outer)
