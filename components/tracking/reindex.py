"""MLflow's database made anew from the store: runs, stages, curves, inputs, versions, aliases. Repeating it adds nothing.

What the store does not hold cannot come back: curves of times and memory, the times of single steps (they are spread evenly
over the stage), logs, and runs that were killed before they published anything.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from r1flow.components.core.errors import R1Error, StoreUnavailable
from r1flow.components.core.params import flatten
from r1flow.components.core.redact import redact
from r1flow.components.core.spool import clean
from r1flow.components.costs.bill import cost_metrics
from r1flow.components.store.artifact import all_artifacts, materialize
from r1flow.components.store.manifest import ArtifactRef, Manifest
from r1flow.components.store.objects import ObjectStore
from r1flow.components.store.runs import recipe_name, summaries
from r1flow.components.tracking.mirror import HOST, Event, Mirror
from r1flow.components.tracking.promotions import promoted_models
from r1flow.components.tracking.registry import Registry
from r1flow.components.tracking.ship import Delivery, Outage

HISTORY = "history.jsonl"
Points = list[tuple[str, float, int, int]]


@dataclass(frozen=True)
class StageRecord:
    """One line of a run's stage table, as the store tells it."""

    run: str
    name: str
    ref: ArtifactRef
    reused: bool
    at: int


@dataclass(frozen=True)
class Reindexed:
    """What MLflow now shows, by model its champion's version, and how many runs and stages it lacked."""

    runs: int
    stages: int
    added: int
    champions: dict[str, int | None]


def reindex(store: ObjectStore, uri: str, experiment: str, *, outboxes: Path, cache: Path) -> Reindexed:
    """Send what waits in outboxes, then add what the store knows and MLflow does not; StoreUnavailable without MLflow."""
    mirror = Mirror(uri, experiment)
    try:
        Delivery(mirror).recover(outboxes)
        return _rebuild(store, mirror, Registry(uri), cache)
    except R1Error:  # the store's, not MLflow's
        raise
    except Exception as error:  # MLflow raises anything from its own to sqlalchemy's
        if not isinstance(error, Outage) and mirror.reachable():
            raise
        raise StoreUnavailable(
            f"MLflow at {redact(uri)} cannot be reached, so there is nothing to rebuild into: {error}"
        ) from error


def _rebuild(store: ObjectStore, mirror: Mirror, registry: Registry, cache: Path) -> Reindexed:
    published = all_artifacts(store)
    manifests = {ref.fingerprint: manifest for ref, manifest in published}
    told = {summary["run"]: summary for summary in summaries(store)}
    stages = list(_records(told, published))
    added = 0
    with mirror.lock:
        for run in dict.fromkeys([*told, *(stage.run for stage in stages)]):
            made = [manifests[s.ref.fingerprint] for s in stages if s.run == run and s.ref.fingerprint in manifests]
            event, status, ended = _parent(store, run, told.get(run), made)
            cost = told.get(run, {}).get("cost", {}).get("together")
            added += _ensure(mirror, event, status, ended, _closing(cost_metrics(cost) if cost else {}, ended))
        for stage in stages:
            if (manifest := manifests.get(stage.ref.fingerprint)) is not None:
                added += _stage(mirror, stage, manifest, _curves(store, stage, manifest, cache))
    champions = {model: registry.project(store, model) for model in promoted_models(store)}
    return Reindexed(len({stage.run for stage in stages} | set(told)), len(stages), added, champions)


def _records(
    ended_runs: Mapping[str, dict[str, Any]], published: Iterable[tuple[ArtifactRef, Manifest]]
) -> Iterator[StageRecord]:
    """The stages of all runs: from summaries, and from artifacts whose run never came to write one."""
    told = set()
    for run, summary in ended_runs.items():
        ended = int(float(summary["ended"]) * 1000)
        for stage in summary["stages"]:
            told.add((run, stage["name"]))
            yield StageRecord(run, stage["name"], ArtifactRef.model_validate(stage["ref"]), stage["reused"], ended)
    for ref, manifest in published:
        made = manifest.provenance
        if made.get("run") and (made["run"], made["stage"]) not in told:
            yield StageRecord(made["run"], made["stage"], ref, False, int(made["started"] * 1000))


def _parent(
    store: ObjectStore, run: str, summary: Mapping[str, Any] | None, made: Sequence[Manifest]
) -> tuple[Event, str, int]:
    """The run's own start event, status and end."""
    first = min(made, key=lambda manifest: float(manifest.provenance.get("started", 0)), default=None)
    said: Mapping[str, Any]
    if summary is None:
        assert first is not None  # a run without a summary is known by what it made
        started = ended = int(first.provenance["started"] * 1000)
        # kinds that read no seed have 0
        said, seed, settings = first.provenance, max(manifest.seed for manifest in made), {}
    else:
        ended = int(float(summary["ended"]) * 1000)
        started = ended - int(float(summary["seconds"]) * 1000)
        said, seed, settings = summary, summary["seed"], summary.get("settings") or summary.get("recipe", {})
    name = recipe_name(said)
    tags = {"r1.recipe": name, "r1.store": store.uri}
    event = {"do": "start", "run": run, "parent": "", "name": f"{name}-{seed}", "tags": tags, "at": started}
    return {**event, "params": flatten(settings)}, "FINISHED" if summary else "KILLED", ended


def _stage(mirror: Mirror, stage: StageRecord, manifest: Manifest, curves: Points) -> int:
    """The stage's run with inputs and metrics; 1 where there was none."""
    run = f"{stage.run}/{stage.name}"
    tags = {
        "r1.kind": stage.ref.kind,
        "r1.fingerprint": stage.ref.fingerprint,
        "r1.reused": str(stage.reused).lower(),
        "r1.artifact": stage.ref.uri,
        **manifest.provenance.get("tags", {}),
    }
    seconds = 0.0 if stage.reused else float(manifest.provenance.get("seconds", 0))
    started = stage.at if stage.reused else int(float(manifest.provenance.get("started", 0)) * 1000)
    ended = started + int(seconds * 1000)
    event = {"do": "start", "run": run, "parent": stage.run, "name": stage.name, "tags": tags, "at": started}
    event["params"] = flatten(manifest.config.get("config", {}))
    drawn = {point[0] for point in curves}
    closing = {n: float(v) for n, v in manifest.metrics.items() if isinstance(v, int | float) and n not in drawn}
    if not stage.reused and (bill := manifest.provenance.get("bill")):
        closing |= cost_metrics(bill)
    points = curves + _closing(closing, ended)
    added = _ensure(mirror, event, "FINISHED", ended, points)
    run_id = mirror.find(run)
    assert run_id is not None
    for name, ref in manifest.inputs.items():
        mirror.log_input(run_id, name=name, uri=ref.uri, digest=ref.manifest_sha256[:36], context=name)
    return added


def _closing(metrics: Mapping[str, float], at: int) -> Points:
    return [(name, value, at, 0) for name, value in clean(metrics).items()]


def _ensure(mirror: Mirror, event: Event, status: str, ended: int, points: Points | None = None) -> int:
    """The run of a start event with these points. One that MLflow has keeps its own, and gets those it lacks.

    A run that is open and of no host was begun by a reindex that did not end: it is ended now.
    """
    found = mirror.find(event["run"])
    if found is None:
        run_id = mirror.create(event)
        mirror.log_params(run_id, event["params"].items())
        mirror.log_points(run_id, points or [])
        mirror.terminate(run_id, status, ended)
        return 1
    missing: Points = []
    for name in {point[0] for point in points or []}:
        steps = {metric.step for metric in mirror.client().get_metric_history(found, name)}
        missing += [p for p in points or [] if p[0] == name and p[3] not in steps and (p[3] or not steps)]
    mirror.log_points(found, missing)
    mirror.set_tags(found, event["tags"])
    run = mirror.client().get_run(found)
    if run.info.status == "RUNNING" and HOST not in run.data.tags:
        mirror.log_params(found, event["params"].items())
        mirror.terminate(found, status, ended)
    return 0


def _curves(store: ObjectStore, stage: StageRecord, manifest: Manifest, cache: Path) -> Points:
    """A stage's history, verified; its steps spread evenly over the stage's time. A reused stage has none of its own."""
    if stage.reused or not any(entry.path == HISTORY for entry in manifest.files):
        return []
    path = materialize(store, stage.ref, cache, HISTORY) / HISTORY
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    started, seconds = (float(manifest.provenance[key]) for key in ("started", "seconds"))
    points: Points = []
    for number, row in enumerate(rows, start=1):
        at = int(1000 * (started + seconds * number / len(rows)))
        step = int(row.pop("step"))
        points += [(name, value, at, step) for name, value in clean(row).items()]
    return points
