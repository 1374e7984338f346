"""The one decorator: ``@stage`` turns a declaration of work into a task that computes it once, ever.

The function says *what* (a program, its settings, its inputs); the task around it does the rest: fingerprint, reuse or
run, publish, MLflow child run, Prefect artifact.
"""

import functools
import logging
import platform
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ParamSpec

from prefect import Task, get_run_logger, task
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.cache_policies import NO_CACHE

from r1flow.components.core.cuda import resolve_device
from r1flow.components.core.errors import LeaseHeldError, LeaseLostError, StageFailed
from r1flow.components.core.models import locate_model, stored_parameters
from r1flow.components.core.params import flatten
from r1flow.components.core.spool import SpoolTail
from r1flow.components.costs.bill import cost_metrics, kept_cost, stage_bill
from r1flow.components.costs.parameters import count_parameters
from r1flow.components.processes.keeper import run_program
from r1flow.components.processes.workplace import own_directory
from r1flow.components.recipe.recipe import Recipe
from r1flow.components.sampling.auto import resolve_sampler
from r1flow.components.store.artifact import check, find, materialize, publish, read_manifest
from r1flow.components.store.checkpoint import Checkpoints
from r1flow.components.store.fingerprint import fingerprint
from r1flow.components.store.lease import Lease
from r1flow.components.store.manifest import ArtifactRef
from r1flow.components.store.rollouts import TABLE
from r1flow.components.tracking.mlmodel import make_loadable
from r1flow.tasks.logtail import LogTail
from r1flow.tasks.policy import device_slots, retry_policy
from r1flow.tasks.progress import ProgressBar
from r1flow.tasks.proofs import proof_tags
from r1flow.tasks.purse import Clock, devices_of, rate_of, slots_of, stage_cost
from r1flow.tasks.session import Session, StageOutcome, current_session, process_tags
from r1flow.tasks.shown import shown

WAIT_S = 10.0
"""How long one look at a lease that another run holds may take, before the next look at whether this run was cancelled."""

CARD = "card.md"
"""A page about a stage's result, for people: in its artifact, in MLflow and in Prefect."""

P = ParamSpec("P")
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Work:
    """A program to run.

    Everything but ``name``, ``total_steps``, ``parts``, ``notes`` and ``tags`` decides the result and enters the fingerprint.
    """

    name: str
    program: str
    recipe: Recipe
    config: Mapping[str, Any]
    inputs: Mapping[str, ArtifactRef] = field(default_factory=dict)
    total_steps: int | None = None
    parts: Mapping[str, str] = field(default_factory=dict)
    """Of an input so named only this file or folder is fetched and verified."""
    notes: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    """Facts about the inputs for people who look at the MLflow run or at the registered model."""

    def settings(self) -> dict[str, Any]:
        """The config slice: the stage's own settings and the recipe's that every program reads, `auto` resolved."""
        shared = {name: getattr(self.recipe, name) for name in ("prompt", "language")}
        run = self.recipe.run.model_dump(mode="json", exclude={"lanes", "stage_hours", "scorers", "engine", "budget"})
        run["device"] = resolve_device(self.recipe.run.device)
        run["sampler"] = resolve_sampler(
            self.recipe.run.sampler, device=run["device"], num_parameters=_start_size(self.recipe)
        )
        return {
            "config": dict(self.config),
            "reflection_words": list(self.recipe.reflection_words),
            "run": run,
            **{name: value.model_dump(mode="json") for name, value in shared.items()},
        }


def _start_size(recipe: Recipe) -> int | None:
    """Parameters of the recipe's base: its shape's, or its files'; None where neither is known before loading."""
    if recipe.base is None:
        return None
    if recipe.base.shape is not None:
        return count_parameters(recipe.base.shape)
    return stored_parameters(locate_model(recipe.base.source, recipe.base.revision))


def stage(kind: str, *, version: str) -> Callable[[Callable[P, Work]], Task[P, StageOutcome]]:
    """A stage of ``kind``. Raise ``version`` when the program's result changes for the same settings and inputs."""

    def decorate(declare: Callable[P, Work]) -> Task[P, StageOutcome]:
        @functools.wraps(declare)
        def run(*args: P.args, **kwargs: P.kwargs) -> StageOutcome:
            return _run(kind, version, declare(*args, **kwargs), current_session())

        return task(
            run,
            name=kind,
            task_run_name="{name}",
            cache_policy=NO_CACHE,
            persist_result=False,
            **retry_policy(),
        )

    return decorate


def _run(kind: str, version: str, work: Work, session: Session) -> StageOutcome:
    settings = work.settings()
    address = fingerprint(
        kind=kind,
        version=version,
        config=settings,
        inputs={name: ref.fingerprint for name, ref in work.inputs.items()},
        seed=work.recipe.seed,
    )
    if (known := session.known.get((kind, address))) is not None:  # this run has just computed or verified it
        return known
    started = time.monotonic()
    session.listener.started(work.name, work.total_steps)
    ref = find(session.store, kind, address)
    reused = ref is not None
    if ref is not None:
        manifest = check(session.store, ref)
        metrics, cost = manifest.metrics, kept_cost(manifest.provenance)
        _log_reused(session, work, kind, ref, metrics)
        _checkpoints(session, kind, address).clear()  # of a run that died between publication and tidying up
    else:
        ref, reused = _compute_once(kind, version, address, work, settings, session)
        manifest = check(session.store, ref) if reused else read_manifest(session.store, ref)
        metrics, cost = manifest.metrics, kept_cost(manifest.provenance)
        if reused:
            _log_reused(session, work, kind, ref, metrics)
    if cost:
        session.purse.took(address, cost.device_seconds, rate_of(cost.device, session.settings))
    seconds = time.monotonic() - started
    outcome = StageOutcome(name=work.name, ref=ref, reused=reused, seconds=seconds, metrics=metrics, cost=cost)
    session.outcomes.append(outcome)
    session.known[kind, address] = outcome
    session.listener.finished(outcome)
    if not reused:  # a reused stage has its table from the run that computed it
        with shown(f"the table of {work.name}"):
            create_table_artifact(
                key=_key(work.name),
                table=[{"metric": name, "value": value} for name, value in metrics.items()],
                description=f"{work.name}: `{ref.uri}` ({outcome.seconds:.1f} s)",
            )
    return outcome


def _compute_once(
    kind: str, version: str, address: str, work: Work, settings: dict[str, Any], session: Session
) -> tuple[ArtifactRef, bool]:
    """Compute under the fingerprint's lease, or wait for whoever holds it; the artifact, and whether it is another's.

    The wait ends with its holder's work or death: a lease that is not renewed expires. A process that was paused past that
    and finds its work taken over changes nothing: it stops its program and waits like anybody else.
    """
    told = False
    while True:
        lease = Lease(session.store, f"{kind}-{address[:16]}", holder={"stage": work.name, "run": session.run_id})
        try:
            lease.acquire(wait_s=WAIT_S)
        except LeaseHeldError as error:
            if session.cancelled.is_set():
                raise
            if not told:
                logger.warning("%s is being computed already: %s", work.name, error)
            told = True
            continue
        with lease:
            if (ref := find(session.store, kind, address)) is not None:
                return ref, True
            try:
                with own_directory(session.settings.work(kind, address)) as directory:
                    return _compute(kind, version, address, work, settings, session, directory, lease), False
            except LeaseLostError as error:
                logger.warning("%s: %s; nothing of it is kept here", work.name, error)


def _compute(
    kind: str,
    version: str,
    address: str,
    work: Work,
    settings: dict[str, Any],
    session: Session,
    directory: Path,
    lease: Lease,
) -> ArtifactRef:
    checkpoints = _checkpoints(session, kind, address)
    out = directory / "out"
    shutil.rmtree(out, ignore_errors=True)
    inputs = {
        name: materialize(session.store, ref, session.settings.cache, work.parts.get(name, ""))
        for name, ref in work.inputs.items()
    }
    spec = {
        "stage": work.name,
        "seed": work.recipe.seed,
        "inputs": {name: str(path) for name, path in inputs.items()},
        "out": str(out),
        "work": str(directory),
        "store": session.settings.store_uri,
        "checkpoints": checkpoints.prefix,
        "scorers": work.recipe.run.scorers,
        "notes": dict(work.notes),
        **settings,
        "run": {**settings["run"], "engine": work.recipe.run.engine.model_dump(mode="json")},
    }
    directory.mkdir(parents=True, exist_ok=True)
    devices = devices_of(work.recipe, work.program)
    run_id = _start_child(session, work, kind, address, reused=False)
    status = "FAILED"
    try:
        with session.lanes, device_slots(session.settings.slots, slots_of(work.recipe, work.program)):
            if session.cancelled.is_set():
                raise StageFailed(f"{work.name} was not started: the run was stopped")
            started = time.time()
            clock = Clock(directory)

            def spent() -> None:
                session.purse.took(address, clock.seconds() * devices)

            spent()  # what earlier tries took counts before this one begins
            session.purse.runs(address, directory)
            metrics = _supervise(work, spec, directory, session, run_id, lease, spent)
            cost = stage_cost(session.purse, devices, directory, clock.seconds(), work.config, metrics)
        bill = stage_bill(work.name, cost, session.purse.rate, {})
        lease.confirm()
        make_loadable(out / "model")
        ref = publish(
            session.store,
            out,
            kind=kind,
            fingerprint=address,
            version=version,
            config=settings,
            inputs=work.inputs,
            seed=work.recipe.seed,
            metrics=metrics,
            provenance=_provenance(work, session, started, proof_tags(kind, metrics))
            | {"cost": asdict(cost), "bill": bill},
        )
        session.tracking.log_summary(run_id, _numbers(metrics))
        session.tracking.log_summary(run_id, cost_metrics(bill))
        session.tracking.set_tags(run_id, {"r1.artifact": ref.uri, **proof_tags(kind, metrics)})
        session.tracking.log_file(run_id, directory / "log.txt", "")
        session.tracking.log_table(run_id, directory / TABLE)
        session.tracking.log_file(run_id, out / CARD, "")
        if (out / CARD).is_file():
            with shown(f"the card of {work.name}"):
                create_markdown_artifact(
                    key=f"{_key(work.name)}-card", markdown=(out / CARD).read_text(encoding="utf-8")
                )
        status = "FINISHED"
    finally:
        session.purse.ended(address)
        session.tracking.finish(run_id, status)
    checkpoints.clear()
    shutil.rmtree(directory, ignore_errors=True)
    return ref


def _supervise(
    work: Work,
    spec: dict[str, Any],
    directory: Path,
    session: Session,
    run_id: str,
    lease: Lease,
    tick: Callable[[], None],
) -> dict[str, Any]:
    tail = SpoolTail(directory / "metrics.jsonl")
    log = LogTail(directory / "log.txt", get_run_logger().info)
    bar = (
        ProgressBar(f"{_key(work.name)}-progress", work.total_steps) if session.standing and work.total_steps else None
    )

    def poll() -> None:
        tick()
        log.poll()
        if lease.lost:
            lease.confirm()
        if rows := tail.poll():
            session.listener.progressed(work.name, rows)
            session.tracking.log_rows(run_id, rows)
            if bar:
                bar.move(rows)

    hours = work.recipe.run.stage_hours
    try:
        return run_program(
            f"r1flow.components.programs.{work.program}",
            spec,
            work=directory,
            server=session.server(),
            timeout_s=hours * 3600 if hours else None,
            poll=poll,
            cancelled=session.cancelled,
        )
    finally:
        log.close()


def _start_child(session: Session, work: Work, kind: str, address: str, *, reused: bool) -> str:
    run_id = session.tracking.start_child(
        session.run_id,
        work.name,
        tags={
            "r1.kind": kind,
            "r1.fingerprint": address,
            "r1.reused": str(reused).lower(),
            **process_tags(),
            **work.tags,
        },
        params=flatten(dict(work.config)),
    )
    for name, ref in work.inputs.items():
        session.tracking.log_input(run_id, name=name, uri=ref.uri, digest=ref.manifest_sha256[:36], context=name)
    return run_id


def _log_reused(
    session: Session, work: Work, kind: str, ref: ArtifactRef, metrics: Mapping[str, float | int | str | None]
) -> None:
    run_id = _start_child(session, work, kind, ref.fingerprint, reused=True)
    session.tracking.log_summary(run_id, _numbers(metrics))
    session.tracking.set_tags(run_id, {"r1.artifact": ref.uri, **proof_tags(kind, metrics)})
    session.tracking.finish(run_id, "FINISHED")


def _checkpoints(session: Session, kind: str, address: str) -> Checkpoints:
    """All that a program keeps on the store until its result is published: states and the lake's shards."""
    return Checkpoints(session.store, f"checkpoints/{kind}/{address[:16]}")


def _key(name: str) -> str:
    """A stage's name as Prefect allows it for an artifact."""
    return name.replace("_", "-").replace("/", "-").lower()


def _numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in metrics.items() if isinstance(value, int | float)}


def _provenance(work: Work, session: Session, started: float, proved: Mapping[str, str]) -> dict[str, Any]:
    """Who made it, when and with what: kept beside the artifact, in no digest."""
    return {
        "stage": work.name,
        "preset": work.recipe.preset,
        "model": work.recipe.registered_name,
        "tags": {**work.tags, **proved},
        "run": session.run_id,
        "started": started,
        "seconds": round(time.time() - started, 3),
        "host": platform.node(),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "commit": _commit(),
        **{name: dict(work.notes[name]) for name in ("addresses",) if work.notes.get(name)},
    }


@functools.cache
def _commit() -> str | None:
    """The commit of this checkout, where it is one."""
    root = Path(__file__).resolve().parents[1]
    if not (root / ".git").exists():  # installed, perhaps below somebody else's checkout
        return None
    try:
        done = subprocess.run(
            ["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=False
        )
    except (OSError, subprocess.TimeoutExpired):  # no git here: provenance says so
        return None
    return done.stdout.strip() or None
