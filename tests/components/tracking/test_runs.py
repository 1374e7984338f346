"""Runs on a real SQLite MLflow: hierarchy, steps and times, inputs, orphans."""

import json
import math
import os
import socket
import subprocess
import sys

import pytest

from r1flow.components.core.spool import SpoolRow
from r1flow.components.tracking.client import find_run
from r1flow.components.tracking.mirror import BATCH
from r1flow.components.tracking.runs import Tracking

ALIVE = {"r1.host": socket.gethostname(), "r1.pid": str(os.getpid())}


class Arrived:
    """MLflow's client by our ids, asked once everything that was written has arrived."""

    def __init__(self, client, tracking):
        self._client, self._tracking = client, tracking

    def __getattr__(self, name):
        assert self._tracking.flush(60)
        return lambda run, *arguments: getattr(self._client, name)(self.id(run), *arguments)

    def id(self, run):
        return find_run(self._client, run)


@pytest.fixture
def client(mlflow_client, tracking):
    return Arrived(mlflow_client, tracking)


@pytest.fixture
def tracking(mlflow_uri, tmp_path):
    tracking = Tracking(mlflow_uri, "tests", tmp_path / "outbox")
    yield tracking
    tracking.close()
    assert tracking.failures == 0
    assert list((tmp_path / "outbox").glob("*")) == []


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
    assert (parent, child) == (found.data.tags["r1.run"], f"{parent}/grpo")
    assert below.data.tags["mlflow.parentRunId"] == client.id(parent)
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


def test_a_second_try_of_a_stage_goes_on_in_the_same_run_without_a_step_twice(tracking, client, run_id):
    rows = [SpoolRow(step, 1000 + step, {"loss": float(step)}) for step in range(1, 5)]
    for first, status in ((rows[:3], "FAILED"), ([SpoolRow(3, 9999, {"loss": 3.0}), rows[3]], "FINISHED")):
        child = tracking.start_child(run_id, "grpo", tags=ALIVE, params={"steps": 4})
        tracking.log_rows(child, first)
        tracking.finish(child, status)
    assert [step for step, _, _ in history(client, child, "loss")] == [1, 2, 3, 4]
    assert client.get_run(child).info.status == "FINISHED"


def test_what_a_killed_process_left_is_sent_by_the_next_one_and_its_runs_are_closed(
    tracking, client, run_id, mlflow_uri, tmp_path
):
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from r1flow.components.core.spool import SpoolRow\n"
        "from r1flow.components.tracking.runs import Tracking\n"
        "tracking = Tracking('http://127.0.0.1:9', 'tests', Path(sys.argv[1]))\n"
        "run = tracking.start_parent('killed', tags={'a': 'b'}, params={'p': 1})\n"
        "child = tracking.start_child(run, 'sft', tags={}, params={})\n"
        "tracking.log_rows(child, [SpoolRow(n, n, {'loss': n / 2}) for n in range(1, 4)])\n"
        "tracking.finish(child, 'FINISHED')\n"
        "print(run, flush=True)\n"
        "with next(Path(sys.argv[1]).glob('*/events.jsonl')).open('a') as torn: torn.write('{\"do\": \"fin')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "outbox")], capture_output=True, text=True)
    dead = done.stdout.strip()
    assert tracking.recover() == 1
    assert history(client, f"{dead}/sft", "loss") == [(n, n, n / 2) for n in range(1, 4)]
    assert client.get_run(dead).data.params == {"p": "1"}
    assert [client.get_run(r).info.status for r in (dead, f"{dead}/sft")] == ["KILLED", "FINISHED"]
    assert [path.name for path in (tmp_path / "outbox").iterdir()] == [run_id]  # the living one's stays
    assert tracking.recover() == 0


def test_runs_whose_process_is_dead_and_left_nothing_are_closed_and_no_others(tracking, client, run_id):
    gone = {"r1.host": socket.gethostname(), "r1.pid": dead_pid()}
    orphan, ended, elsewhere, nameless = (
        tracking.start_child(run_id, name, tags=tags, params={})
        for name, tags in (
            ("orphan", gone),
            ("ended", gone),
            ("elsewhere", gone | {"r1.host": "another-host"}),
            ("nameless", {"r1.host": socket.gethostname(), "r1.pid": "?"}),
        )
    )
    tracking.finish(ended, "FINISHED")
    assert tracking.flush(60)
    assert tracking.recover() == 2
    status = {r: client.get_run(r).info.status for r in (orphan, ended, elsewhere, nameless, run_id)}
    assert list(status.values()) == ["KILLED", "FINISHED", "RUNNING", "KILLED", "RUNNING"]
    assert tracking.recover() == 0


def test_params_that_a_server_refuses_leave_one_run_and_no_stray(mlflow_uri, mlflow_client, tmp_path):
    tracking = Tracking(mlflow_uri, "refused", tmp_path / "outbox")
    run = tracking.start_parent("long", tags=ALIVE, params={"a": 1, "bad name!": 2})
    tracking.finish(run, "FINISHED")
    tracking.close()
    assert tracking.failures == 1
    experiment = mlflow_client.get_experiment_by_name("refused").experiment_id
    (found,) = mlflow_client.search_runs([experiment])
    assert (found.data.tags["r1.run"], found.info.status) == (run, "FINISHED")


def test_a_database_keeps_its_files_beside_it(client, run_id, mlflow_uri):
    folder = mlflow_uri.replace("sqlite:///", "file://").rsplit("/", 1)[0]
    assert client.get_run(run_id).info.artifact_uri.startswith(f"{folder}/mlflow-artifacts")


def test_a_server_that_is_not_there_stops_nothing_and_what_it_missed_stays_on_the_disk(tmp_path, caplog):
    tracking = Tracking("http://127.0.0.1:9", "tests", tmp_path / "outbox")
    run = tracking.start_parent("run", tags={}, params={"a": 1})
    child = tracking.start_child(run, "child", tags={}, params={})
    tracking.log_rows(child, [SpoolRow(1, 1, {"a": 1.0})])
    tracking.log_summary(child, {"a": 1.0})
    (tmp_path / "log.txt").write_text("x")
    tracking.log_file(child, tmp_path / "log.txt", "")
    tracking.finish(run, "FINISHED")
    assert not tracking.flush(60)
    tracking.close()
    assert tracking.failures > 0
    assert "misses some of this run" in caplog.text
    (left,) = (tmp_path / "outbox").iterdir()
    assert [json.loads(line)["do"] for line in (left / "events.jsonl").read_text().splitlines()] == [
        "start",
        "start",
        "metrics",
        "file",
        "finish",
    ]
