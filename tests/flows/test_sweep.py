"""``r1 run --sweep``: a run per point below one tracking run, a comparison, and the command that promotes the best."""

import json
import shutil
from pathlib import Path

from mlflow.tracking import MlflowClient

from tests.conftest import Ran
from tests.runs import r1


def test_points_share_what_they_can_and_are_compared(smoke: Ran, tmp_path: Path) -> None:
    shutil.copytree(smoke.home / "store", tmp_path / "store")
    out = tmp_path / "lines.json"
    axis = "dev1.learning_rate=[1e-4, 3e-4]"
    done = r1(tmp_path, "run", "smoke", "--only", "dev1", "--sweep", axis, "--json", str(out))
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    best, other = json.loads(out.read_text())
    assert best["pass_at_1"] >= other["pass_at_1"]
    assert best["against_best"] == "best"
    assert "p = " in other["against_best"]
    assert {best["point"], other["point"]} == {"dev1.learning_rate 0.0001", "dev1.learning_rate 0.0003"}
    assert best["promote"].startswith("r1 promote sft/")
    assert best["promote"] in " ".join(done.stdout.split())
    assert len(list((tmp_path / "store" / "artifacts" / "sft").iterdir())) == 4  # three of the smoke run, one new

    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    runs = {
        run.data.tags["r1.run"]: run
        for run in client.search_runs([e.experiment_id for e in client.search_experiments()])
    }
    (parent,) = (run for run in runs.values() if run.data.tags.get("r1.sweep"))
    assert parent.info.status == "FINISHED"
    assert parent.data.metrics["sweep/best_pass_at_1"] == best["pass_at_1"]
    points = [run for name, run in runs.items() if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    assert {run.data.tags["r1.run"] for run in points} == {best["run"], other["run"]}


def test_what_is_no_list_of_values_is_refused(tmp_path: Path) -> None:
    for axis in ("dev1.learning_rate=1e-4", "dev1.learning_rate=[]", "dev1.learning_rate", "dev1.lerning_rate=[1.0]"):
        done = r1(tmp_path, "run", "smoke", "--sweep", axis)
        assert done.returncode == 2, (axis, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
