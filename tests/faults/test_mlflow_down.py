"""An MLflow server that is killed under way, and comes back: every step is there once, and nobody has waited for it."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from r1flow.components.core.spool import SpoolRow
from r1flow.components.tracking.client import find_run
from r1flow.components.tracking.runs import Tracking
from tests.fakes.mlflow_server import MlflowServer

STEPS = 60
NAMES = [f"group/metric_{number}" for number in range(40)]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MlflowServer]:
    server = MlflowServer(tmp_path)
    server.start()
    yield server
    server.kill()


def test_a_server_killed_twice_while_metrics_flow_has_every_step_once(server: MlflowServer, tmp_path: Path) -> None:
    from mlflow.tracking import MlflowClient

    (tmp_path / "log.txt").write_text("the whole log")
    tracking = Tracking(server.uri, "outage", tmp_path / "outbox")
    run = tracking.start_parent("run", tags={}, params={"a": 1})
    first, second = _stage(tracking, run, "up"), f"{run}/down"
    assert tracking.flush(120)
    killer = threading.Timer(0.3, server.kill)  # in the middle of what is being sent
    killer.start()
    _log(tracking, first, 1)
    killer.join()
    assert _stage(tracking, run, "down") == second
    _log(tracking, second, 1)  # as a whole stage without a server
    tracking.log_file(second, tmp_path / "log.txt", "")
    tracking.finish(second, "FINISHED")
    assert not tracking.flush(120)
    server.start()
    _log(tracking, first, STEPS + 1)  # the outage ends while the run goes on
    assert _eventually(lambda: tracking.flush(60))
    server.kill()
    tracking.finish(first, "FINISHED")
    tracking.finish(run, "FINISHED")
    tracking.close()
    server.start()
    assert Tracking(server.uri, "outage", tmp_path / "outbox").recover() == 0  # what the next run does
    assert list((tmp_path / "outbox").iterdir()) == []

    client = MlflowClient(server.uri)
    for stage, steps in ((first, 2 * STEPS), (second, STEPS)):
        run_id = find_run(client, stage)
        for name in NAMES[::13]:
            history = client.get_metric_history(run_id, name)
            assert [(m.step, m.value) for m in history] == [(step, step / 2) for step in range(1, steps + 1)]
        assert client.get_run(run_id).info.status == "FINISHED"
    assert [file.path for file in client.list_artifacts(find_run(client, second))] == ["log.txt"]
    experiment = client.get_experiment_by_name("outage").experiment_id
    assert len(client.search_runs([experiment])) == 3  # no run was made twice


def _stage(tracking: Tracking, run: str, name: str) -> str:
    return tracking.start_child(run, name, tags={"r1.kind": "rl"}, params={"steps": STEPS})


def _log(tracking: Tracking, run: str, start: int) -> None:
    for step in range(start, start + STEPS):
        tracking.log_rows(run, [SpoolRow(step, 1_700_000_000_000 + step, dict.fromkeys(NAMES, step / 2))])


def _eventually(done: Any) -> bool:
    deadline = time.monotonic() + 120
    while not (arrived := done()) and time.monotonic() < deadline:
        time.sleep(0.5)
    return bool(arrived)
