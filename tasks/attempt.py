"""One try at a stage's work: its program in a supervised child, then publication, under a lease that somebody may take over."""

import functools
import platform
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from prefect import get_run_logger
from prefect.artifacts import create_markdown_artifact

import r1flow
from r1flow.components.core.artifacts import Policy
from r1flow.components.core.errors import StageFailed
from r1flow.components.core.spool import SpoolTail
from r1flow.components.costs.bill import Spent, stage_bill
from r1flow.components.processes.keeper import run_program
from r1flow.components.store.artifact import materialize, publish
from r1flow.components.store.checkpoint import Checkpoints
from r1flow.components.store.lease import Lease
from r1flow.components.store.manifest import ArtifactRef
from r1flow.components.tracking.mlmodel import make_loadable
from r1flow.tasks.budget import Clock, devices_of, slots_of, stage_cost
from r1flow.tasks.logtail import LogTail
from r1flow.tasks.policy import device_slots
from r1flow.tasks.progress import ProgressBar
from r1flow.tasks.proofs import proof_tags
from r1flow.tasks.session import Session
from r1flow.tasks.shown import shown
from r1flow.tasks.tracked import log_result, start_child
from r1flow.tasks.work import Work

CARD = "card.md"
"""A page about a stage's result, for people: in its artifact, in MLflow and in Prefect."""
PROGRAMS = "r1flow.components.programs"


class Attempt:
    """Computes ``work`` in ``directory``, which an earlier try may have left in any state."""

    def __init__(self, work: Work, address: str, session: Session, directory: Path, lease: Lease) -> None:
        self.work, self.address, self.session = work, address, session
        self.directory, self.lease = directory, lease
        self.out = directory / "out"
        self.checkpoints = checkpoints_of(session, work, address)
        self.devices = devices_of(work.kind, session.recipe.run, session.place.device)

    def run(self) -> ArtifactRef:
        """The published artifact. The tracking run of the try ends with it, whatever happens."""
        shutil.rmtree(self.out, ignore_errors=True)
        self.directory.mkdir(parents=True, exist_ok=True)
        spec = self._spec()
        run_id = start_child(self.session, self.work, self.address, reused=False)
        status = "FAILED"
        try:
            started = time.time()
            with device_slots(self.session.settings.slots, slots_of(self.work.kind, self.session.recipe.run)):
                metrics, cost = self._compute(spec, run_id)
            ref, bill = self._publish(metrics, cost, started)
            log_result(self.session, self.work, run_id, ref, metrics, bill, self.directory, self.out / CARD)
            self._show_card()
            status = "FINISHED"
        finally:
            self.session.budget.ended(self.address)
            self.session.tracking.finish(run_id, status)
        self.checkpoints.clear()
        shutil.rmtree(self.directory, ignore_errors=True)
        return ref

    def _spec(self) -> dict[str, Any]:
        """What the program reads: ``spec.json``."""
        work, session = self.work, self.session
        inputs = {
            role: materialize(session.store, ref, session.settings.cache, work.parts.get(role, ""))
            for role, ref in work.inputs.items()
        }
        place = dict(work.place)
        read = dict(work.settings)
        run = {**place.pop("run", {}), **{name: v for name, v in read.pop("run", {}).items() if name != "engine"}}
        return {
            "stage": work.name,
            "seed": work.seed,
            "inputs": {role: str(path) for role, path in inputs.items()},
            "out": str(self.out),
            "work": str(self.directory),
            "store": session.settings.store_uri,
            "checkpoints": self.checkpoints.prefix,
            "notes": dict(work.notes),
            "config": {**work.config, **place.pop("config", {})},
            "run": run,
            **place,
            **read,
        }

    def _compute(self, spec: dict[str, Any], run_id: str) -> tuple[dict[str, Any], Spent]:
        """Run the program to its end; its metrics, and what it took."""
        session = self.session
        if session.cancelled.is_set():
            raise StageFailed(f"{self.work.name} was not started: the run was stopped")
        clock = Clock(self.directory)
        session.budget.took(self.address, clock.seconds() * self.devices)  # what earlier tries took counts first
        session.budget.runs(self.address, self.directory)
        metrics = self._supervise(spec, run_id, clock)
        cost = stage_cost(session.budget, self.devices, self.directory, clock.seconds(), self.work.config, metrics)
        return metrics, cost

    def _supervise(self, spec: dict[str, Any], run_id: str, clock: Clock) -> dict[str, Any]:
        work, session = self.work, self.session
        tail = SpoolTail(self.directory / "metrics.jsonl")
        log = LogTail(self.directory / "log.txt", get_run_logger().info)
        steps = work.total_steps
        bar = ProgressBar(f"{key_of(work.name)}-progress", steps) if session.standing and steps else None

        def poll() -> None:
            session.budget.took(self.address, clock.seconds() * self.devices)
            log.poll()
            if self.lease.lost:
                self.lease.confirm()
            if rows := tail.poll():
                session.listener.progressed(work.name, rows)
                session.tracking.log_rows(run_id, rows)
                if bar:
                    bar.move(rows)

        hours = session.recipe.run.stage_hours
        try:
            return run_program(
                f"{PROGRAMS}.{work.kind.program}",
                spec,
                work=self.directory,
                server=session.server(),
                timeout_s=hours * 3600 if hours else None,
                poll=poll,
                cancelled=session.cancelled,
            )
        finally:
            log.close()

    def _publish(self, metrics: dict[str, Any], cost: Spent, started: float) -> tuple[ArtifactRef, dict[str, Any]]:
        """The artifact and the stage's line of the bill. LeaseLostError, and nothing published, where the lease is another's."""
        work, session = self.work, self.session
        bill = stage_bill(work.name, cost, session.budget.rate)
        self.lease.confirm()
        make_loadable(Policy(self.out).model)
        ref = publish(
            session.store,
            self.out,
            kind=work.kind.artifact,
            fingerprint=self.address,
            version=work.kind.version,
            config=work.manifest_config(),
            inputs=work.inputs,
            seed=work.seed,
            metrics=metrics,
            provenance=self._provenance(started, metrics) | {"cost": asdict(cost), "bill": bill},
        )
        return ref, bill

    def _provenance(self, started: float, metrics: Mapping[str, Any]) -> dict[str, Any]:
        """Who made it, when and with what: kept beside the artifact, in no digest."""
        work, recipe = self.work, self.session.recipe
        model = {
            "prompt": recipe.prompt_of(work.name).model_dump(mode="json"),
            "language": recipe.language_of(work.name).model_dump(mode="json"),
        }
        return {
            "stage": work.name,
            "recipe": recipe.name,
            "model": next((name for name, promotion in recipe.promote.items() if promotion.model == work.name), None),
            "tags": {**work.tags, **proof_tags(work.kind.artifact, metrics)},
            "run": self.session.run_id,
            "started": started,
            "seconds": round(time.time() - started, 3),
            "host": platform.node(),
            "python": platform.python_version(),
            "machine": platform.machine(),
            "commit": _commit(),
            **(model if "model" in work.kind.gives else {}),
            **{name: dict(work.notes[name]) for name in ("addresses",) if work.notes.get(name)},
        }

    def _show_card(self) -> None:
        card = self.out / CARD
        if card.is_file():
            with shown(f"the card of {self.work.name}"):
                create_markdown_artifact(
                    key=f"{key_of(self.work.name)}-card", markdown=card.read_text(encoding="utf-8")
                )


def checkpoints_of(session: Session, work: Work, address: str) -> Checkpoints:
    """All that a program keeps on the store until its result is published: states and the lake's shards."""
    return Checkpoints(session.store, f"checkpoints/{work.kind.artifact}/{address[:16]}")


def key_of(name: str) -> str:
    """A stage's name as Prefect allows it for an artifact."""
    return name.replace("_", "-").replace("/", "-").lower()


@functools.cache
def _commit() -> str | None:
    """The commit of this checkout, where it is one."""
    root = Path(r1flow.__file__).resolve().parents[1]
    if not (root / "r1flow" / "components").is_symlink():  # installed, perhaps into somebody else's checkout
        return None
    try:
        done = subprocess.run(
            ["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=False
        )
    except (OSError, subprocess.TimeoutExpired):  # no git here: provenance says so
        return None
    return done.stdout.strip() or None
