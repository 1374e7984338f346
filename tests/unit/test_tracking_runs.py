"""Runs on a real SQLite MLflow, and what happens when there is no MLflow."""

import json
import logging
import math
import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from components.tracking import runs
from components.tracking.client import open_client
from components.tracking.metrics import SpoolRow
from components.tracking.runs import Tracking


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db"


@pytest.fixture
def tracking(uri: str, request: pytest.FixtureRequest) -> Tracking:
    return Tracking(uri, request.node.name)


def row(step: int, **metrics: float) -> SpoolRow:
    return SpoolRow(step, 1_700_000_000_000 + step, metrics or {"loss": 1.0 / (step + 1)})


def history(uri: str, run_id: str, name: str = "loss") -> list[tuple[int, float, int]]:
    found = open_client(uri).get_metric_history(run_id, name)
    return sorted((point.step, point.value, point.timestamp) for point in found)


class Flaky:
    """A client whose server can be switched off."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.down = False
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            self.calls += 1
            if self.down:
                raise ConnectionError("no route to host")
            return getattr(self.client, name)(*args, **kwargs)

        return call


@pytest.fixture
def flaky(tracking: Tracking, monkeypatch: pytest.MonkeyPatch) -> Flaky:
    client = Flaky(open_client(tracking.uri))
    tracking._client = client
    monkeypatch.setattr(runs, "PAUSE_S", 0.0)
    return client


def test_a_child_run_hangs_below_its_parent_with_tags_params_and_files(tracking: Tracking, tmp_path: Path) -> None:
    parent = tracking.start_parent("run", tags={"r1.preset": "tiny"}, params={f"p{i}": i for i in range(150)})
    child = tracking.start_child(parent, "grpo", tags={"r1.fingerprint": "f" * 64}, params={"lr": 1e-4})
    (tmp_path / "log.txt").write_text("line")
    tracking.log_file(child, tmp_path / "log.txt", "")
    tracking.log_file(child, tmp_path / "missing.txt", "")
    tracking.set_tags(child, {"r1.artifact": "file:///x"})
    tracking.finish(child, "FINISHED")
    client = open_client(tracking.uri)
    found = client.get_run(child)
    assert len(client.get_run(parent).data.params) == 150
    assert found.data.tags["mlflow.parentRunId"] == parent
    assert found.data.tags["r1.artifact"] == "file:///x"
    assert found.data.params == {"lr": "0.0001"}
    assert found.info.status == "FINISHED"
    assert [file.path for file in client.list_artifacts(child)] == ["log.txt"]
    assert tracking.failures == 0


def test_rows_keep_their_step_and_time_and_replays_add_nothing(tracking: Tracking) -> None:
    run_id = tracking.start_parent("run", tags={}, params={})
    rows = [row(step) for step in range(5)]
    tracking.log_rows(run_id, rows[:3])
    tracking.log_rows(run_id, rows)
    tracking.log_rows(run_id, rows)
    assert history(tracking.uri, run_id) == [(r.step, r.metrics["loss"], r.time_ms) for r in rows]


def test_more_metrics_than_one_request_takes_all_arrive(tracking: Tracking) -> None:
    run_id = tracking.start_parent("run", tags={}, params={})
    wide = {f"m{i}": float(i) for i in range(450)}
    tracking.log_rows(run_id, [row(step, **wide) for step in range(3)])
    assert all(len(history(tracking.uri, run_id, name)) == 3 for name in ("m0", "m99", "m449"))


def test_an_outage_delays_metrics_and_closing_but_loses_and_doubles_nothing(
    tracking: Tracking, flaky: Flaky, caplog: pytest.LogCaptureFixture
) -> None:
    parent = tracking.start_parent("run", tags={}, params={})
    child = tracking.start_child(parent, "sft", tags={}, params={})
    tracking.log_rows(child, [row(1), row(2)])
    flaky.down = True
    with caplog.at_level(logging.WARNING):
        for step in range(3, 8):
            tracking.log_rows(child, [row(step)])
        tracking.log_summary(child, {"loss": 0.5})
        tracking.finish(child, "FINISHED")
    assert len(caplog.records) == 1  # one outage, one line
    assert tracking.failures == 7
    flaky.down = False
    tracking.finish(parent, "FINISHED")
    client = open_client(tracking.uri)
    assert [step for step, _, _ in history(tracking.uri, child)] == list(range(1, 8))
    assert client.get_run(child).data.metrics["final/loss"] == 0.5
    assert [client.get_run(run_id).info.status for run_id in (parent, child)] == ["FINISHED", "FINISHED"]


def test_while_the_server_is_down_shipping_pauses(
    tracking: Tracking, flaky: Flaky, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = tracking.start_parent("run", tags={}, params={})
    monkeypatch.setattr(runs, "PAUSE_S", 1000.0)
    flaky.down = True
    before = flaky.calls
    for step in range(20):
        tracking.log_rows(run_id, [row(step)])
    assert flaky.calls == before + 1


def test_metrics_that_the_server_refuses_do_not_hold_up_the_others(tracking: Tracking) -> None:
    run_id = tracking.start_parent("run", tags={}, params={})
    tracking.log_rows(run_id, [row(1, **{"bad@name": 1.0})])
    tracking.log_rows(run_id, [row(2)])
    tracking.log_summary(run_id, {"pass@1": 1.0})
    assert [step for step, _, _ in history(tracking.uri, run_id)] == [2]
    assert tracking.failures == 2


def test_a_summary_keeps_no_infinity(tracking: Tracking) -> None:
    run_id = tracking.start_parent("run", tags={}, params={})
    tracking.log_summary(run_id, {"kl": math.inf, "loss": 1.0})
    assert open_client(tracking.uri).get_run(run_id).data.metrics == {"final/kl/nonfinite": 1.0, "final/loss": 1.0}


@pytest.mark.parametrize("where", ['file:///data/it\'s "quoted"', "s3://bucket/artifacts/dataset/abc"])
def test_an_input_is_listed_and_its_source_resolves(tracking: Tracking, where: str) -> None:
    import mlflow.data

    run_id = tracking.start_parent("run", tags={}, params={})
    tracking.log_input(run_id, name="dataset", uri=where, digest="a" * 36, context="training")
    (entry,) = open_client(tracking.uri).get_run(run_id).inputs.dataset_inputs
    assert (entry.dataset.name, entry.dataset.digest) == ("dataset", "a" * 36)
    assert {tag.key: tag.value for tag in entry.tags} == {"mlflow.data.context": "training"}
    assert json.loads(entry.dataset.source) == {"uri": where}
    assert mlflow.data.get_source(entry.dataset).to_dict() == {"uri": where}


def test_an_unreachable_server_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    tracking = Tracking("http://127.0.0.1:9", "nowhere")
    parent = tracking.start_parent("run", tags={}, params={"a": 1})
    child = tracking.start_child(parent, "stage", tags={}, params={})
    assert (parent, child) == ("", "")
    tracking.log_rows(child, [row(1)])
    tracking.log_summary(child, {"a": 1.0})
    tracking.log_input(child, name="n", uri="file:///x", digest="d", context="c")
    tracking.finish(child, "FAILED")
    assert tracking.close_orphans() == 0
    assert tracking.failures == 3  # the two starts and the search; what has no run is not sent anywhere


def test_a_child_of_an_untracked_parent_names_no_parent(tracking: Tracking) -> None:
    child = tracking.start_child("", "stage", tags={}, params={})
    assert "mlflow.parentRunId" not in open_client(tracking.uri).get_run(child).data.tags


def test_four_threads_share_one_database(uri: str) -> None:
    shared = Tracking(uri, "threads")
    own = [Tracking(uri, "threads") for _ in range(2)]
    ids: dict[int, str] = {}

    def work(index: int, tracking: Tracking) -> None:
        ids[index] = tracking.start_parent(f"run{index}", tags={}, params={"index": index})
        for step in range(10):
            tracking.log_rows(ids[index], [row(step, loss=float(index))])
        tracking.finish(ids[index], "FINISHED")

    threads = [threading.Thread(target=work, args=(i, t)) for i, t in enumerate([shared, shared, *own])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [tracking.failures for tracking in (shared, *own)] == [0, 0, 0]
    for index in range(4):
        assert [value for _, value, _ in history(uri, ids[index])] == [float(index)] * 10


def test_a_locked_database_is_waited_for(tracking: Tracking) -> None:
    run_id = tracking.start_parent("run", tags={}, params={})
    other = sqlite3.connect(tracking.uri.removeprefix("sqlite:///"), isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    threading.Timer(0.5, other.rollback).start()
    tracking.log_rows(run_id, [row(1)])
    assert tracking.failures == 0
    assert len(history(tracking.uri, run_id)) == 1


def test_runs_of_dead_processes_are_closed_and_living_ones_left(tracking: Tracking) -> None:
    import socket

    host = socket.gethostname()
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    tags = {"dead": str(dead.pid), "odd": "?", "alive": str(os.getpid())}
    ids = {k: tracking.start_parent(k, tags={"r1.host": host, "r1.pid": pid}, params={}) for k, pid in tags.items()}
    elsewhere = tracking.start_parent("elsewhere", tags={"r1.host": "other", "r1.pid": str(dead.pid)}, params={})
    assert tracking.close_orphans() == 2
    client = open_client(tracking.uri)
    states = {name: client.get_run(run_id).info.status for name, run_id in {**ids, "elsewhere": elsewhere}.items()}
    assert states == {"dead": "KILLED", "odd": "KILLED", "alive": "RUNNING", "elsewhere": "RUNNING"}


def test_importing_the_room_imports_no_mlflow() -> None:
    code = (
        "import sys, components.tracking.runs, components.tracking.metrics; "
        "sys.exit('mlflow' in sys.modules or 'pandas' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
