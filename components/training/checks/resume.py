"""The resume proof: a run that was killed at every point of a step ends exactly as one that was not.

The program of RL itself is run, on the tiny world: once to its end, once killed at each of KILLS in turn and continued.
"""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from r1flow.components.core.errors import StageFailed
from r1flow.components.core.models import BUILTIN
from r1flow.components.core.spool import read_spool
from r1flow.components.data.files import dump_rows
from r1flow.components.data.sources import tiny_rows
from r1flow.components.processes.keeper import run_program
from r1flow.components.processes.preload import ForkServer
from r1flow.components.recipe.engine import EngineConfig
from r1flow.components.recipe.presets import load_recipe
from r1flow.components.recipe.references import with_roles
from r1flow.components.recipe.stages import RlStage
from r1flow.components.store.checkpoint import Checkpoints
from r1flow.components.store.objects import open_store
from r1flow.components.store.rollouts import lake
from r1flow.components.training.checks.finding import Finding

PROGRAM = "r1flow.components.programs.prove_resume"
CHECKPOINTS = "checkpoints/rl/proof"
STEPS, EVERY = 6, 2
KILLS = (("sampling", 2), ("scoring", 3), ("step", 4), ("checkpoint", 4), ("weight sync", 5))
"""Points of :mod:`r1flow.components.training.checks.kill` and the step in which each comes, in this order."""


@dataclass(frozen=True)
class Course:
    """One run: its home directory, which holds work, output and store, and how it is started."""

    home: Path
    inputs: dict[str, str]
    engine: EngineConfig
    server: ForkServer | None

    def run(self, kill: dict[str, Any] | None = None) -> None:
        """From the last checkpoint to the end, or to the kill."""
        run_program(PROGRAM, self._spec(kill), work=self.home / "work", server=self.server)

    def _spec(self, kill: dict[str, Any] | None) -> dict[str, Any]:
        recipe = load_recipe("smoke")
        name, stage = next((n, s) for n, s in recipe.stages.items() if isinstance(s, RlStage) and s.kl_weight)
        changes = {"steps": STEPS, "checkpoint_every": EVERY, "reference_every": EVERY, "min_pass_rate": 0.0}
        run = recipe.run.model_copy(update={"engine": self.engine, "sampler": "transformers", "device": "cpu"})
        return {
            "stage": "proof",
            "seed": 0,
            "config": with_roles(stage.model_copy(update=changes), exclude={"title", "prompt", "language"})[0],
            "prompt": recipe.prompt_of(name).model_dump(mode="json"),
            "language": recipe.language_of(name).model_dump(mode="json"),
            "run": run.model_dump(mode="json", exclude={"parallel_stages", "scorers"}),
            "notes": {"kill": kill} if kill else {},
            "inputs": self.inputs,
            "out": str(self.home / "out"),
            "work": str(self.home / "work"),
            "store": str(self.home / "store"),
            "checkpoints": CHECKPOINTS,
        }

    def last_state(self) -> dict[str, bytes]:
        """The files of the last checkpoint."""
        with tempfile.TemporaryDirectory(dir=self.home) as name:
            Checkpoints(open_store(str(self.home / "store")), f"{CHECKPOINTS}/state").load(STEPS, Path(name))
            return {path.name: path.read_bytes() for path in Path(name).iterdir()}

    def order(self) -> list[Any]:
        """What was sampled, in order."""
        return list(lake.read(self.home / "out" / "lake", ["prompt_id", "sample", "ids", "reward"]))

    def history(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.home / "out" / "history.jsonl").read_text().splitlines()]

    def weights(self) -> bytes:
        return (self.home / "out" / "model" / "model.safetensors").read_bytes()

    def logged(self) -> list[int]:
        """The steps that were logged."""
        return [row.step for row in read_spool(self.home / "work" / "metrics.jsonl")]


def prove_resume(
    home: Path, engine: EngineConfig, server: ForkServer | None, told: Callable[[str], None]
) -> Iterator[Finding]:
    """Run both courses below ``home``; a finding for every kill, then one for everything that must be equal."""
    inputs = _inputs(home)
    straight = Course(home / "straight", inputs, engine, server)
    killed = Course(home / "killed", inputs, engine, server)
    told("a run that nobody kills")
    straight.run()
    for point, step in KILLS:
        told(f"kill -9 during {point}, step {step}")
        yield _kill(killed, point, step)
    told("to the end")
    killed.run()
    yield from compare(straight, killed)


def _kill(course: Course, point: str, step: int) -> Finding:
    what = f"kill -9 during {point}, step {step}"
    try:
        course.run({"point": point, "step": step})
    except StageFailed as error:
        first = str(error).splitlines()[0]
        return Finding(what, "SIGKILL" in first, "killed" if "SIGKILL" in first else first)
    return Finding(what, False, "the run went past this point")


def compare(straight: Course, killed: Course) -> Iterator[Finding]:
    """What a killed run may not change."""
    ends, state = straight.last_state(), killed.last_state()
    differing = sorted(name for name in ends.keys() | state.keys() if ends.get(name) != state.get(name))
    size = sum(map(len, ends.values()))
    yield Finding("weights", straight.weights() == killed.weights(), f"{len(straight.weights()):,} bytes")
    yield Finding(
        "optimizer, reference, step count", not differing, ", ".join(differing) or f"{len(ends)} files, {size:,} bytes"
    )
    yield Finding("data order and completions", straight.order() == killed.order(), f"{len(straight.order())} rows")
    old, new = straight.history(), killed.history()
    first = next((a["step"] for a, b in zip(old, new, strict=False) if a != b), None)
    detail = f"{len(old)} rows of {len(old[-1])} metrics" if first is None else f"differs from step {first} on"
    yield Finding("metric history, times apart", old == new, detail)
    yield Finding("no step logged twice or left out", killed.logged() == list(range(STEPS + 1)), str(killed.logged()))


def _inputs(home: Path) -> dict[str, str]:
    """A policy and problems."""
    policy, dataset = home / "policy", home / "dataset"
    shutil.copytree(BUILTIN["tiny-base"], policy / "model")
    dataset.mkdir()
    dump_rows([row for skill in ("sum", "string") for row in tiny_rows(skill, 100, 0, ())], dataset / "train.jsonl")
    return {"model": str(policy), "data": str(dataset)}
