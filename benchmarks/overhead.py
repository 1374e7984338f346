"""What Prefect, MLflow and the store cost a GRPO stage, against the bare program; and what a stage costs that does nothing.

    python benchmarks/overhead.py [--steps 40] [--repetitions 5] [--stages 100]

The R1-Zero stage of `tiny`, alternately as a stage (task, lease, spool to MLflow, publication) and as the program alone, with
the same specification, forked from the same preloaded server. Both are timed from the first step's metrics to the end: of
the stage, or of the program. Then a stage whose program returns at once, computed and reused.
"""

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from r1flow.components.core.spool import read_spool
from r1flow.components.processes.keeper import run_program
from r1flow.components.recipe.kinds import Kind
from r1flow.components.recipe.presets import load_recipe
from r1flow.components.recipe.settings import Settings
from r1flow.tasks.prefect_api import orchestrator

if TYPE_CHECKING:  # Prefect reads its settings when it is first imported: the orchestrator comes before
    from r1flow.tasks.session import Session


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--stages", type=int, default=100)
    options = parser.parse_args()
    sys.setswitchinterval(0.0005)  # as `r1 run`
    with tempfile.TemporaryDirectory() as directory:
        settings = Settings(home=Path(directory))
        settings.prepare()
        recipe = load_recipe("tiny", [f"r1_zero.steps={options.steps}"])
        with orchestrator(settings.home / "prefect"):
            from r1flow.tasks.session import session

            with session(recipe, settings) as run:
                compare(run, options.steps, options.repetitions)
                nothing(run, options.stages)
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")


class Watched:
    """`run_program` as stages call it, with the specification and the moment of the first step kept."""

    def __init__(self) -> None:
        self.program, self.spec = "", dict[str, Any]()
        self.first = 0.0

    def __call__(self, program: str, spec: dict[str, Any], *, work: Path, **rest: Any) -> dict[str, Any]:
        self.program, self.spec = program, spec
        metrics = run_program(program, spec, work=work, **rest)
        if rows := read_spool(work / "metrics.jsonl"):
            self.first = rows[0].time_ms / 1000
        return metrics


def compare(run: "Session", steps: int, repetitions: int) -> None:
    import r1flow.tasks.attempt
    from r1flow.flows.nodes import make
    from r1flow.tasks.declare import declare
    from r1flow.tasks.stage import compute

    graph, usual = run.recipe.graph, run.recipe.stages["r1_zero"].learning_rate
    make(graph.ancestors(["r1_zero"]) - {"r1_zero"})
    watched = Watched()
    r1flow.tasks.attempt.run_program = watched

    def staged(repetition: int) -> float:
        rate = usual * (1 + 1e-9 * repetition)  # another stage, of the same cost
        new = load_recipe("tiny", [f"r1_zero.steps={steps}", f"r1_zero.learning_rate={rate}"])
        compute(declare(new, graph.nodes["r1_zero"], run.done, run.place))
        return time.time() - watched.first

    def bare(repetition: int) -> float:
        scratch = run.settings.home / f"bare-{repetition}"
        spec = watched.spec | {
            "out": str(scratch / "out"),
            "work": str(scratch),
            "checkpoints": f"checkpoints/bare/{repetition}",
        }
        watched(watched.program, spec, work=scratch, server=run.server())
        seconds = time.time() - watched.first
        shutil.rmtree(scratch)
        return seconds

    staged(0)  # every import once, and the specification for the bare program
    seconds: dict[str, list[float]] = {"staged": [], "bare": []}
    for repetition in range(1, repetitions + 1):
        pair: list[tuple[str, Callable[[int], float]]] = [("staged", staged), ("bare", bare)]
        for name, way in pair if repetition % 2 else reversed(pair):
            seconds[name].append(way(repetition))
            print(f"{repetition} of {repetitions}: {name} {seconds[name][-1]:.2f} s", file=sys.stderr, flush=True)
    r1flow.tasks.attempt.run_program = run_program
    staged_s, bare_s = (statistics.median(seconds[name]) for name in ("staged", "bare"))
    spread = max(max(values) / min(values) - 1 for values in seconds.values())
    print(
        f"GRPO stage, median of {repetitions}: under Prefect, MLflow and store {staged_s:.2f} s, bare program {bare_s:.2f} s, "
        f"{staged_s / bare_s - 1:+.1%} (bound +5 %); spread {spread:.1%}"
    )


def nothing(run: "Session", num: int) -> None:
    import r1flow.tasks.attempt
    from r1flow.tasks.stage import compute
    from r1flow.tasks.work import Work

    kind = Kind("nothing", "report", "nothing", "1")

    def at_once(program: str, spec: dict[str, Any], **_: Any) -> dict[str, Any]:
        Path(spec["out"]).mkdir(parents=True)
        (Path(spec["out"]) / "nothing.json").write_text("{}")
        return {"nothing": 0.0}

    def times() -> list[float]:
        found = []
        for index in range(num):
            started = time.perf_counter()
            compute(Work(f"nothing/{index}", kind, {"name": index}))
            found.append(1000 * (time.perf_counter() - started))
        return found

    r1flow.tasks.attempt.run_program = at_once
    first = times()
    run.done.clear()  # what this run knows it computed would not be looked up again
    for what, found in (("computed", first), ("reused", times())):
        print(f"a stage that does nothing, {what}: median {statistics.median(found):.0f} ms, most {max(found):.0f} ms")
    r1flow.tasks.attempt.run_program = run_program


if __name__ == "__main__":
    main()
