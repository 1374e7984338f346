"""A rate for this machine: two steps of the recipe's first RL stage, in a process of their own; the second one counts."""

import tempfile
from pathlib import Path

from r1flow.components.core.errors import ConfigError
from r1flow.components.core.models import BUILTIN
from r1flow.components.costs.decoder import shape_in
from r1flow.components.costs.preset import stages_of
from r1flow.components.costs.work import Lengths, Rates, rl_work
from r1flow.components.processes.keeper import run_program
from r1flow.components.recipe.grpo import GrpoConfig
from r1flow.components.recipe.recipe import Recipe

TINY_PROMPT, TINY_END = 11, 1
"""Tokens of the tiny world's mean prompt, and its end token."""


def calibrate(recipe: Recipe) -> tuple[Rates, Lengths]:
    """FLOP/s while sampling and while updating, and how long completions were.

    Raises :class:`ConfigError` where the recipe has no RL stage on a shipped model: its weights would have to be loaded first.
    """
    stage = next(iter(stages_of(recipe, Lengths())), None)
    model = recipe.models[stage.start] if stage else None
    if stage is None or model is None or not model.source.startswith("builtin:"):
        raise ConfigError("--calibrate measures a step of a shipped model on a CPU; this recipe has no RL stage on one")
    directory = BUILTIN[model.source.removeprefix("builtin:")]
    shape = shape_in(directory)
    assert shape is not None, directory
    raw = {
        "grpo": stage.config.model_dump(mode="json", include=set(GrpoConfig.model_fields)),
        "shape": shape.model_dump(mode="json"),
        "directory": str(directory),
        "prompt": TINY_PROMPT,
        "end": TINY_END,
        "threads": recipe.run.threads,
    }
    with tempfile.TemporaryDirectory() as work:
        found = run_program("r1flow.components.programs.measure_step", raw, work=Path(work), server=None, timeout_s=300)
    lengths = Lengths(TINY_PROMPT, found["completion"][-1])
    work_done = rl_work(stage.name, stage.config, stage.model, lengths)
    steps = stage.config.steps
    return (
        Rates(
            work_done.sampling / steps / found["sample_s"][-1],
            work_done.training / steps / found["update_s"][-1],
            f"a step of {stage.name} measured here, with completions of {lengths.completion:.1f} tokens",
        ),
        lengths,
    )
