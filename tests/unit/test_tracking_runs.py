"""Runs on a real SQLite MLflow: hierarchy, steps and times, inputs, orphans."""

import json
import math
import os
import socket
import subprocess
import sys

import pytest

from components.tracking.metrics import SpoolRow
from components.tracking.runs import BATCH, Tracking

ALIVE = {"r1.host": socket.gethostname(), "r1.pid": str(os.getpid())}


@pytest.fixture
def client(mlflow_client):
    return mlflow_client


@pytest.fixture
def tracking(mlflow_uri):
    tracking = Tracking(mlflow_uri, "tests")
    yield tracking
    assert tracking.failures == 0


@pytest.fixture
def run_id(tracking):
    return tracking.start_parent("run", tags=ALIVE, params={})


def history(client, run_id, name):
    return [(m.step, m.timestamp, m.value) for m in client.get_metric_history(run_id, name)]


def dead_pid():
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait(timeout=60)
    return str(done.pid)


def test_a_child_hangs_below_its_parent_with_tags_and_params(tracking, client):
    params = {f"section.field{i}": i for i in range(250)} | {"grpo.mixture": {"sum": 1.0}}
    parent = tracking.start_parent("tiny-0", tags={"r1.preset": "tiny", **ALIVE}, params=params)
    child = tracking.start_child(parent, "grpo", tags={"r1.kind": "grpo", **ALIVE}, params={"steps": 3})
    found = client.get_run(parent)
    assert found.info.run_name == "tiny-0"
    assert found.info.status == "RUNNING"
    assert found.data.params == {name: str(value) for name, value in params.items()}
    below = client.get_run(child)
    assert below.data.tags["mlflow.parentRunId"] == parent
    assert (below.info.run_name, below.data.tags["r1.kind"], below.data.params) == ("grpo", "grpo", {"steps": "3"})
    tracking.finish(child, "FAILED")
    tracking.finish(parent, "FINISHED")
    assert [client.get_run(r).info.status for r in (child, parent)] == ["FAILED", "FINISHED"]


def test_a_table_is_marked_as_one_for_mlflows_page(tracking, client, run_id, tmp_path):

    file = tmp_path / "completions.json"
    tracking.log_table(run_id, file)  # a stage that has none
    file.write_text(json.dumps({"columns": ["step", "text"], "data": [[1, "a"], [2, "b"]]}))
    tracking.log_table(run_id, file)
    run = client.get_run(run_id)
    assert run.data.tags["mlflow.loggedArtifacts"] == '[{"path": "completions.json", "type": "table"}]'
    assert [artifact.path for artifact in client.list_artifacts(run_id)] == ["completions.json"]


def test_rows_keep_their_step_and_time(tracking, client, run_id):
    rows = [SpoolRow(step, 1_700_000_000_000 + step, {"loss": step / 3, "a": 1.0}) for step in range(4)]
    tracking.log_rows(run_id, rows)
    assert history(client, run_id, "loss") == [(s, 1_700_000_000_000 + s, s / 3) for s in range(4)]


def test_replayed_steps_are_not_logged_twice(tracking, client, run_id):
    rows = [SpoolRow(step, 1000 + step, {"loss": float(step)}) for step in range(6)]
    tracking.log_rows(run_id, rows[:4])
    tracking.log_rows(run_id, [SpoolRow(r.step, 9999, r.metrics) for r in rows[:4]] + rows[4:])
    tracking.log_rows(run_id, [])
    assert [h[:2] for h in history(client, run_id, "loss")] == [(s, 1000 + s) for s in range(6)]


def test_more_metrics_than_one_request_takes_all_arrive(tracking, client, run_id):
    rows = [SpoolRow(step, step, {"a": 1.0, "b": 2.0, "c": 3.0}) for step in range(BATCH // 3 + 50)]
    tracking.log_rows(run_id, rows)
    for name in "abc":
        assert len(history(client, run_id, name)) == len(rows)


def test_closing_figures_tags_and_files_appear(tracking, client, run_id, tmp_path):
    tracking.log_summary(run_id, {"pass_at_1": 0.75, "loss": math.nan, "peak": math.inf})
    tracking.log_summary(run_id, {})
    tracking.set_tags(run_id, {"r1.artifact": "file:///x"})
    (tmp_path / "log.txt").write_text("hello")
    tracking.log_file(run_id, tmp_path / "log.txt", "")
    tracking.log_file(run_id, tmp_path / "missing.txt", "")
    data = client.get_run(run_id).data
    assert data.metrics == {"pass_at_1": 0.75, "loss/nonfinite": 1.0, "peak/nonfinite": 1.0}
    assert data.tags["r1.artifact"] == "file:///x"
    assert [f.path for f in client.list_artifacts(run_id)] == ["log.txt"]


def test_a_closing_figure_that_has_a_curve_adds_no_point_to_it(tracking, client, run_id):
    tracking.log_rows(run_id, [SpoolRow(1, 1, {"reward": 0.1}), SpoolRow(2, 2, {"reward": 0.2})])
    tracking.log_summary(run_id, {"reward": 0.2, "parameters": 7.0})
    assert [value for _, _, value in history(client, run_id, "reward")] == [0.1, 0.2]
    assert client.get_run(run_id).data.metrics == {"reward": 0.2, "parameters": 7.0}


def test_inputs_appear_with_uri_digest_and_context(tracking, client, run_id):
    uri = 's3://bucket/it"s \\ odd'
    tracking.log_input(run_id, name="dataset", uri=uri, digest="d" * 36, context="training")
    (entry,) = client.get_run(run_id).inputs.dataset_inputs
    assert (entry.dataset.name, entry.dataset.digest) == ("dataset", "d" * 36)
    assert json.loads(entry.dataset.source) == {"uri": uri}
    assert [(t.key, t.value) for t in entry.tags] == [("mlflow.data.context", "training")]


def test_runs_whose_process_is_dead_are_closed_and_no_others(tracking, client, run_id):
    gone = {"r1.host": socket.gethostname(), "r1.pid": dead_pid()}
    orphan = tracking.start_parent("orphan", tags=gone, params={})
    ended = tracking.start_parent("ended", tags=gone, params={})
    tracking.finish(ended, "FINISHED")
    elsewhere = tracking.start_parent("elsewhere", tags=gone | {"r1.host": "another-host"}, params={})
    nameless = tracking.start_parent("nameless", tags={"r1.host": socket.gethostname(), "r1.pid": "?"}, params={})
    assert tracking.close_orphans() == 2
    status = {r: client.get_run(r).info.status for r in (orphan, ended, elsewhere, nameless, run_id)}
    assert list(status.values()) == ["KILLED", "FINISHED", "RUNNING", "KILLED", "RUNNING"]
    assert tracking.close_orphans() == 0


def test_params_that_a_server_refuses_leave_one_run_and_no_stray(mlflow_uri, client):
    tracking = Tracking(mlflow_uri, "refused")
    run_id = tracking.start_parent("long", tags=ALIVE, params={"a": 1, "bad name!": 2})
    assert run_id
    assert tracking.failures == 1
    experiment = client.get_experiment_by_name("refused").experiment_id
    assert [r.info.run_id for r in client.search_runs([experiment])] == [run_id]


def test_a_database_keeps_its_files_beside_it(client, run_id, mlflow_uri):
    folder = mlflow_uri.replace("sqlite:///", "file://").rsplit("/", 1)[0]
    assert client.get_run(run_id).info.artifact_uri.startswith(f"{folder}/mlflow-artifacts")


def test_what_an_outage_held_back_is_sent_when_the_server_answers_again(mlflow_uri, client, monkeypatch):
    tracking = Tracking(mlflow_uri, "tests")
    run_id = tracking.start_parent("outage", tags=ALIVE, params={})

    def refuse(*args):
        raise ConnectionError("connection refused")

    monkeypatch.setattr(tracking, "_metrics", refuse)
    tracking.log_rows(run_id, [SpoolRow(1, 11, {"a": 1.0})])
    tracking.log_rows(run_id, [SpoolRow(2, 12, {"a": 2.0})])
    tracking.finish(run_id, "FINISHED")
    assert client.get_run(run_id).info.status == "RUNNING"
    monkeypatch.undo()
    tracking.finish("", "FINISHED")
    assert history(client, run_id, "a") == [(1, 11, 1.0), (2, 12, 2.0)]
    assert client.get_run(run_id).info.status == "FINISHED"
    assert tracking.failures > 0


def test_a_server_that_is_not_there_stops_nothing_and_is_counted(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    tracking = Tracking("http://127.0.0.1:9", "tests")
    assert tracking.start_parent("run", tags={}, params={"a": 1}) == ""
    assert tracking.failures == 1
    tracking.log_rows("0" * 32, [SpoolRow(1, 1, {"a": 1.0})])
    tracking.finish("0" * 32, "FINISHED")
    assert tracking.close_orphans() == 0
    assert tracking.failures == 4
    (tmp_path / "log.txt").write_text("x")
    for call in (
        lambda: tracking.start_child("", "child", tags={}, params={}),
        lambda: tracking.log_summary("", {"a": 1.0}),
        lambda: tracking.log_input("", name="n", uri="u", digest="d", context="c"),
        lambda: tracking.set_tags("", {"a": "b"}),
        lambda: tracking.log_file("", tmp_path / "log.txt", ""),
    ):
        call()
    assert tracking.failures == 5  # without a run there is nothing to try, but for the child itself
