"""The kill matrix: `r1 run smoke` is killed at a point of each stage, and the same command is given again until it ends.

    python -m tests.faults.matrix --json matrix.json

Each point has a chain of runs in a home of its own: every run dies at the first stage that has not been killed there yet. What
the last run leaves is compared with an uninterrupted run. ``killer`` does the killing, from within.
"""

import argparse
import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from r1flow.components.store.artifact import all_artifacts, verify
from r1flow.components.store.lease import Lease
from r1flow.components.store.objects import ObjectStore, open_store
from r1flow.components.tracking.promotions import promotions
from r1flow.components.tracking.registry import Registry
from tests.faults.killer import POINTS, lines
from tests.processes import with_variable
from tests.runs import ROOT, command, environment, run_recipe

SITE = Path(__file__).parent / "killing"
MODEL = "r1-smoke"
GONE_S = 5.0
RUN_S = 300.0
Stages = dict[str, str]
"""The name of every stage by its work directory's: KIND-DIGITS."""


@dataclass
class Chain:
    """What happened in the runs of one chain."""

    home: Path
    points: Sequence[str]
    kills: list[tuple[str, str]] = field(default_factory=list)  # (stage, point)
    steps: list[dict[str, Any]] = field(default_factory=list)  # every step that a program has finished
    longest_s: float = 0.0  # from a kill until no process of the run was left


def play(
    home: Path,
    points: Sequence[str],
    *,
    only: Collection[str] = (),
    steps: dict[str, int] | None = None,
    recipe: str = "smoke",
) -> Chain:
    """Runs in ``home`` until one ends by itself. AssertionError for a run that ends otherwise, and for a survivor."""
    log = home / "kills"
    log.mkdir(parents=True)
    chain = Chain(home, points)
    orders = {"R1_KILL_POINTS": ",".join(points), "R1_KILL_ONLY": ",".join(only), "R1_KILL_LOG": str(log)}
    env = environment(home, SITE) | orders | {"R1_KILL_STEPS": json.dumps(steps or {})}
    while True:
        before = len(chain.kills)
        with (home / "console.txt").open("ab") as console:
            run = subprocess.Popen(
                command("run", recipe, "--json", str(home / "summary.json")),
                env=env,
                cwd=ROOT,
                start_new_session=True,
                stdout=console,
                stderr=console,
            )
        try:
            code = run.wait(timeout=RUN_S)
        finally:
            if run.poll() is None:
                os.killpg(run.pid, signal.SIGKILL)
        chain.longest_s = max(chain.longest_s, _gone(log))
        chain.kills = [(line["stage"], line["point"]) for line in lines(log / "kills.jsonl")]
        chain.steps = lines(log / "steps.jsonl")
        if code == 0:
            return chain
        told = (home / "console.txt").read_text(errors="replace")[-3000:]
        assert code == -signal.SIGKILL, f"ended with {code}, after {chain.kills[-1:]}:\n{told}"
        assert len(chain.kills) > before, f"killed by somebody else:\n{told}"


def _gone(log: Path) -> float:
    """Seconds until no process of the run is left; AssertionError after 5."""
    began = time.monotonic()
    while left := survivors(log):
        assert time.monotonic() < began + GONE_S, f"still alive after {GONE_S:g} s: {left}"
        time.sleep(0.05)
    return time.monotonic() - began


def survivors(log: Path) -> list[str]:
    """Processes that have inherited this chain's orders."""
    return [f"{process.pid} {line}" for process, line in with_variable("R1_KILL_LOG", str(log)).items()]


def named(summary: dict[str, Any]) -> Stages:
    return {f"{s['ref']['kind']}-{s['ref']['fingerprint'][:16]}": s["name"] for s in summary["stages"]}


def contents(store: ObjectStore) -> dict[str, list[tuple[str, int, str]]]:
    """Files of every artifact, by its work directory's name; every byte verified. The report is left out: it shows times."""
    return {
        f"{ref.kind}-{ref.fingerprint[:16]}": [(f.path, f.size, f.sha256) for f in verify(store, ref).files]
        for ref, _ in all_artifacts(store)
        if ref.kind != "report"
    }


def intervals(home: Path) -> dict[str, int]:
    """Steps from checkpoint to checkpoint, of every stage that has them."""
    found = {}
    for path in (home / "store" / "artifacts").glob("*/*/MANIFEST.json"):
        settings = json.loads(path.read_text())["config"].get("config", {})
        if "checkpoint_every" in settings:
            found[f"{path.parts[-3]}-{path.parts[-2]}"] = int(settings["checkpoint_every"])
    return found


def recomputed(steps: Sequence[dict[str, Any]]) -> dict[str, int]:
    """By stage the most steps that a process had to repeat because its predecessor was killed."""
    most: dict[str, int] = {}
    for stage in {row["stage"] for row in steps}:
        rows = [row for row in steps if row["stage"] == stage]
        repeated = [a["step"] - b["step"] + 1 for a, b in pairwise(rows) if a["pid"] != b["pid"]]
        most[stage] = max([0, *repeated])
    return most


def check(chain: Chain, reference: Path, every: dict[str, int]) -> None:
    """The last run's artifacts are the reference's, the log and the alias agree, and no kill cost more than an interval."""
    store = open_store(str(chain.home / "store"))
    known, found = contents(open_store(str(reference / "store"))), contents(store)
    assert found
    assert found == {stage: known[stage] for stage in found}
    for key in store.list("leases"):  # of a run that died after publication; who wants it has it at once
        with Lease(store, key.removeprefix("leases/").removesuffix(".json")):
            pass
    assert store.list("checkpoints") == []
    assert len(promotions(store, MODEL)) == 1
    assert Registry(f"sqlite:///{chain.home / 'mlflow.db'}").differences(store, MODEL) == []
    lost = {stage: n for stage, n in recomputed(chain.steps).items() if stage in every and n > every[stage]}
    assert lost == {}, "more than one interval was computed again"


def expected(point: str, stages: Stages, chain: Chain, every: dict[str, int]) -> set[str]:
    """The stages that have this point."""
    if point.endswith("_alias"):
        return {"promote"}
    if point == "step_k":
        return {row["stage"] for row in chain.steps}
    return set(every) if point.endswith("checkpoint") else set(stages)


def whole(
    home: Path, reference: Path, summary: dict[str, Any], *, workers: int, points: Sequence[str]
) -> dict[str, Any]:
    """All stages at all points; the table, where everything holds."""
    stages, every = named(summary), intervals(reference)
    steps = {stage: n + 1 for stage, n in every.items() if n < _last_step(reference, stage)}
    rare = [p for p in points if p.endswith(("_checkpoint", "_alias"))]
    chains = [[p] for p in points if p not in rare] + ([rare] if rare else [])

    def one(points: list[str]) -> Chain:
        chain = play(home / points[0], points, steps=steps)
        check(chain, reference, every)
        for point in points:
            killed = {stage for stage, at in chain.kills if at == point}
            assert killed == expected(point, stages, chain, every), f"{point}: {killed}"
            print(f"{point}: {len(killed)} stages killed, all files identical", flush=True)
        return chain

    with ThreadPoolExecutor(workers) as pool:
        played = list(pool.map(one, chains))
    kills = [(stages.get(stage, stage), point) for chain in played for stage, point in chain.kills]
    return {
        "stages": [*stages.values(), "promote"],
        "kills": [{"stage": stage, "point": point, "identical": True} for stage, point in kills],
        "runs": len(kills) + len(played),
        "longest_until_gone_s": round(max(chain.longest_s for chain in played), 2),
        "most_steps_repeated": max(n for c in played for s, n in recomputed(c.steps).items() if s in every),
    }


def _last_step(home: Path, stage: str) -> int:
    kind, digits = stage.rsplit("-", 1)
    manifest = json.loads((home / "store" / "artifacts" / kind / digits / "MANIFEST.json").read_text())
    return int(manifest["config"]["config"].get("steps", 0))


def show(table: dict[str, Any], console: Console) -> None:
    """The table, a line for each stage."""
    shown = Table("stage", *POINTS, title="killed with SIGKILL, given again: files identical", box=None)
    done = {(kill["stage"], kill["point"]) for kill in table["kills"]}
    for stage in table["stages"]:
        shown.add_row(stage, *("yes" if (stage, point) in done else "" for point in POINTS))
    console.print(shown)
    console.print(
        f"{len(done)} kills in {table['runs']} runs; every file but the report's identical; no process left after "
        f"{table['longest_until_gone_s']} s at most; at most {table['most_steps_repeated']} steps computed again"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the table there")
    parser.add_argument("--points", nargs="+", choices=POINTS, default=list(POINTS))
    parser.add_argument("--workers", type=int, default=2, help="chains at a time")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kill-matrix-") as name:
        home = Path(name)
        summary = run_recipe(home / "reference", "smoke")
        table = whole(home, home / "reference", summary, workers=chosen.workers, points=chosen.points)
    show(table, Console(width=200))
    if chosen.json:
        chosen.json.write_text(json.dumps(table, indent=1))


if __name__ == "__main__":
    main()
