"""Tidying after runs that were killed. A run counts as dead when its lease says so, and by nothing else."""

import shutil
import time
from pathlib import Path
from uuid import UUID

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterParentFlowRunId,
    FlowRunFilterTags,
    TaskRunFilter,
    TaskRunFilterState,
    TaskRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.states import Crashed

from r1flow.components.store.liveness import RUNS, LeftOver, any_run_lives, left_over, run_tag, taken_over
from r1flow.components.store.objects import ObjectStore
from r1flow.components.store.retention import delete_finished_checkpoints, delete_unreferenced
from r1flow.components.tracking.promotions import promoted_models, promotions
from r1flow.components.tracking.runs import Tracking

ALIVE = {StateType.RUNNING, StateType.PENDING, StateType.PAUSED, StateType.CANCELLING}


@task(cache_policy=NO_CACHE)
def close_dead_runs(store: ObjectStore, tracking: Tracking) -> dict[str, int]:
    """Runs whose process is dead: what they left for MLflow is sent, MLflow says KILLED and Prefect CRASHED; how many."""
    done = {"tracking runs closed": tracking.recover(), "flow runs crashed": 0}
    for lease in left_over(store, RUNS):
        with taken_over(store, lease) as dead:
            if dead:
                done["tracking runs closed"] += tracking.kill(str(lease.holder.get("run", "")))
                done["flow runs crashed"] += _crash(lease)
    return done


@task(cache_policy=NO_CACHE)
def remove_stale_leases(store: ObjectStore) -> int:
    """Leases of stages whose holder is dead; a run that wants the stage would take them over all the same. How many."""
    removed = 0
    for lease in left_over(store):
        with taken_over(store, lease) as dead:
            removed += dead
    return removed


@task(cache_policy=NO_CACHE)
def remove_stale_work(work: Path, older_than_days: float) -> int:
    """Work directories that no run has touched for so long; their checkpoints stay on the store. How many."""
    limit = time.time() - older_than_days * 86400
    stale = [path for path in work.glob("*") if path.is_dir() and _last_touched(path) < limit] if work.is_dir() else []
    for path in stale:
        shutil.rmtree(path)
    return len(stale)


@task(cache_policy=NO_CACHE)
def tidy_store(store: ObjectStore, *, uploads_older_than_s: float, keep_days: float | None) -> dict[str, int]:
    """Uploads that never ended, checkpoints of finished stages and, with ``keep_days`` and no run under way, old artifacts
    that nothing refers to."""
    done = {
        "uploads aborted": store.abort_uploads(uploads_older_than_s),
        "checkpoint files removed": delete_finished_checkpoints(store),
    }
    if keep_days is None or any_run_lives(store):
        return done
    log = [entry for model in promoted_models(store) for entry in promotions(store, model)]
    promoted = [ref for entry in log for ref in (entry.ref, entry.evaluation)]
    return done | {"artifacts removed": len(delete_unreferenced(store, promoted, keep_days))}


def _crash(lease: LeftOver) -> int:
    """Prefect's runs of a dead run, their subflows and tasks, that say they live: CRASHED; how many flow runs."""
    with get_client(sync_client=True) as client:
        found = _flow_runs(client, lease)
        dead = [run for run in found.values() if run.state_type in ALIVE]
        for run in dead:
            where = {"flow_run_filter": FlowRunFilter(id=FlowRunFilterId(any_=[run.id]))}
            running = TaskRunFilter(
                state=TaskRunFilterState(type=TaskRunFilterStateType(any_=[StateType.RUNNING]), name=None)
            )
            for started in client.read_task_runs(**where, task_run_filter=running):
                client.set_task_run_state(started.id, Crashed(message="the run's process is dead"), force=True)
            client.set_flow_run_state(run.id, Crashed(message=f"its process is dead: {lease.holder}"), force=True)
        return len(dead)


def _flow_runs(client: SyncPrefectClient, lease: LeftOver) -> dict[UUID, FlowRun]:
    """By the run's tag, and by the flow run that its lease names and everything below that."""
    tagged = FlowRunFilter(tags=FlowRunFilterTags(all_=[run_tag(str(lease.holder.get("run", "")))]))
    found = {run.id: run for run in client.read_flow_runs(flow_run_filter=tagged)}
    if named := str(lease.holder.get("flow_run", "")):
        root = FlowRunFilter(id=FlowRunFilterId(any_=[UUID(named)]))
        found |= {run.id: run for run in client.read_flow_runs(flow_run_filter=root)}
    level = list(found)
    while level:
        below = FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=level))
        new = {run.id: run for run in client.read_flow_runs(flow_run_filter=below) if run.id not in found}
        found |= new
        level = list(new)
    return found


def _last_touched(directory: Path) -> float:
    return max(path.stat().st_mtime for path in (directory, *directory.iterdir()))
