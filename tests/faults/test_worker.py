"""A run under a Prefect worker or `serve`, cancelled, terminated and killed: no process stays, and every page tells the truth."""

import os
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from mlflow.tracking import MlflowClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterTags
from prefect.states import Cancelling

from r1flow.components.core.spool import read_spool
from r1flow.components.store.liveness import run_tag
from r1flow.components.store.objects import open_store
from r1flow.components.store.runs import summaries
from r1flow.components.tracking.promotions import promotions
from tests.faults.platform import Platform, platform, training_step
from tests.processes import wait_until
from tests.runs import ROOT, ZERO, command, environment, options

LONG = 400
"""Steps of R1-Zero: minutes, which nothing here waits for."""
SERVE = """
from r1flow.flows.pipeline import pipeline
pipeline.serve(name="served", pause_on_shutdown=False)
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    folder = tmp_path_factory.mktemp("platform")
    (folder / "home").mkdir()
    with platform(folder / "home") as running:
        yield running


def test_cancelled_in_the_ui_under_a_worker(here: Platform) -> None:
    run = _training(here, "pipeline/smoke", seed=1)
    _cancel(here, run)
    _all_gone(here)
    wait_until(lambda: here.state(run) == "Cancelled", 60, "the flow run is not Cancelled")
    assert _tracked(here, run) <= {"FAILED", "KILLED"}


def test_cancelled_under_serve(here: Platform) -> None:
    env = {**environment(here.home), "PREFECT_API_URL": here.url}
    serving = subprocess.Popen([sys.executable, "-c", SERVE], env=env, cwd=ROOT, start_new_session=True)
    try:
        wait_until(lambda: _deployed(here, "pipeline/served"), 60, "serve did not register its deployment")
        run = _training(here, "pipeline/served", seed=2)
        _cancel(here, run)
        _all_gone(here, besides=serving.pid)
        wait_until(lambda: here.state(run) == "Cancelled", 60, "the flow run is not Cancelled")
        assert _tracked(here, run) <= {"FAILED", "KILLED"}
    finally:
        serving.terminate()
        serving.wait(timeout=30)


def test_terminated_under_a_worker(here: Platform) -> None:
    run = _training(here, "pipeline/smoke", seed=3)
    _signal(here, signal.SIGTERM)
    _all_gone(here)
    wait_until(lambda: here.state(run) == "Crashed", 60, "the flow run is not Crashed")
    assert _tracked(here, run) <= {"FAILED", "KILLED"}


def test_killed_under_a_worker(here: Platform) -> None:
    run = _training(here, "pipeline/smoke", seed=4)
    _signal(here, signal.SIGKILL)
    _all_gone(here)
    _tidy(here)
    assert here.state(run) == "Crashed"
    assert _tracked(here, run) == {"KILLED"}


def test_killed_on_the_command_line_and_only_that_run_is_tidied(here: Platform) -> None:
    sets = [f"{name}={value}" for name, value in _settings(seed=5, steps=LONG).items()]
    argv = command("run", ZERO, *options(sets))
    env = {**environment(here.home), "PREFECT_API_URL": here.url}
    killed = subprocess.Popen(argv, env=env, cwd=ROOT, start_new_session=True, stdout=subprocess.DEVNULL)
    wait_until(lambda: training_step(here.home, 2), 120, "training did not start")
    other = _training(here, "pipeline/smoke", seed=6)
    killed.kill()
    killed.wait(timeout=30)
    _tidy(here)
    with here.client() as client:
        tag = run_tag(_runs(here, "KILLED")[-1])
        tagged = client.read_flow_runs(flow_run_filter=FlowRunFilter(tags=FlowRunFilterTags(all_=[tag])))
        assert tagged
        assert {run.state_name for run in tagged} <= {"Crashed", "Completed"}
        assert "Crashed" in {run.state_name for run in tagged}
    assert here.state(other) == "Running"
    assert _tracked(here, other) == {"RUNNING"}
    _cancel(here, other)
    _all_gone(here)


def test_a_server_that_is_down_for_twenty_seconds_stops_nothing(here: Platform) -> None:
    run = _training(here, "pipeline/smoke", seed=7, steps=120)
    before = _steps(here)
    here.server_is_down(20)
    assert _steps(here) > before
    wait_until(lambda: here.has_ended(run), 240, "the run did not end")
    assert here.state(run) == "Completed"
    assert _tracked(here, run) == {"FINISHED"}


def test_a_preset_alone_is_a_whole_run_under_a_worker(here: Platform) -> None:
    """Last: what it publishes would be reused by the others."""
    run = here.start("pipeline/smoke", {})
    wait_until(lambda: here.has_ended(run), 500, "the run did not end")
    assert here.state(run) == "Completed"
    assert _tracked(here, run) == {"FINISHED"}
    with here.client() as client:
        found = client.read_flow_run(run)
    assert (found.name, found.parameters) == ("smoke-0", {"preset": "smoke"})
    store = open_store((here.home / "store").as_uri())
    summary = summaries(store)[-1]
    assert {"r1", "evaluate/r1", "report"} <= {stage["name"] for stage in summary["stages"]}
    [entry] = [e for e in promotions(store, "r1-smoke") if e.ref.uri == summary["champions"][0]["uri"]]
    assert entry.by == f"run {summary['run']}"


def _settings(*, seed: int, steps: int) -> dict[str, Any]:
    return {"seed": seed, "r1_zero.steps": steps, "r1_zero.min_pass_rate": 0.0}


def _training(here: Platform, deployment: str, *, seed: int, steps: int = LONG) -> UUID:
    """Start a run of R1-Zero alone and wait until it has trained two steps."""
    known = set(here.home.glob("work/rl-*"))
    recipe = tomllib.loads(Path(ZERO).read_text(encoding="utf-8"))
    sets = _settings(seed=seed, steps=steps)
    run = here.start(deployment, {"recipe": recipe, "set": sets, "only": ["r1_zero"]})  # and promotes nothing
    wait_until(
        lambda: set(here.home.glob("work/rl-*/metrics.jsonl")) - {path / "metrics.jsonl" for path in known},
        180,
        f"training did not start; the flow run is {here.state(run)}",
    )
    return run


def _signal(here: Platform, number: signal.Signals) -> None:
    flow = _flow_process(here)
    assert flow is not None, here.family()
    os.kill(flow, number)


def _cancel(here: Platform, run: UUID) -> None:
    """What the button in Prefect's UI does."""
    with here.client() as client:
        client.set_flow_run_state(run, Cancelling())
    wait_until(lambda: here.state(run) != "Running", 30, "nobody took the cancellation")


def _all_gone(here: Platform, besides: int = 0) -> None:
    """5 s after its flow process nothing of a run is alive. (A cancellation reaches that process with the next look of the
    worker, or of ``serve``, at the server.)"""

    def alive() -> dict[int, str]:
        """``serve`` keeps Python's own resource tracker for as long as it lives."""
        return {pid: line for pid, line in here.family().items() if pid != besides and "resource_tracker" not in line}

    flow = _flow_process(here)
    wait_until(lambda: flow not in alive(), 60, "the flow process did not end")
    wait_until(lambda: not alive(), 5, "a process is still alive after 5 s")


def _flow_process(here: Platform) -> int | None:
    """The process that runs a flow run for the worker, or for ``serve``."""
    marks = ("flow_engine", "prefect.engine", "flow-run execute", "spawn_main")
    found = [pid for pid, line in here.family().items() if any(mark in line for mark in marks)]
    return found[0] if found else None


def _deployed(here: Platform, name: str) -> bool:
    with here.client() as client:
        return any(f"pipeline/{found.name}" == name for found in client.read_deployments())


def _tidy(here: Platform) -> None:
    """The housekeeping flow, on the worker's machine."""
    env = {**environment(here.home), "PREFECT_API_URL": here.url}
    code = "from r1flow.flows.housekeeping import housekeeping; housekeeping()"
    done = subprocess.run([sys.executable, "-c", code], env=env, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


def _steps(here: Platform) -> int:
    """Steps that RL stages under way have trained."""
    return sum(len(read_spool(path)) for path in here.home.glob("work/rl-*/metrics.jsonl"))


def _client(here: Platform) -> MlflowClient:
    return MlflowClient(f"sqlite:///{here.home / 'mlflow.db'}")


def _tracked(here: Platform, run: UUID) -> set[str]:
    """Status of the run's MLflow entry and of the stages below it that did not end well before."""
    client = _client(here)
    experiment = client.get_experiment_by_name("r1flow").experiment_id
    (parent,) = client.search_runs([experiment], f"tags.`prefect.flow_run_id` = '{run}'")
    below = client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'")
    return {parent.info.status} | {stage.info.status for stage in below if stage.info.status != "FINISHED"}


def _runs(here: Platform, status: str) -> list[str]:
    """Our ids of the runs (not the stages) of that status, oldest first."""
    client = _client(here)
    experiment = client.get_experiment_by_name("r1flow").experiment_id
    found = client.search_runs([experiment], f"attributes.status = '{status}'", order_by=["start_time ASC"])
    return [run.data.tags["r1.run"] for run in found if "/" not in run.data.tags["r1.run"]]
