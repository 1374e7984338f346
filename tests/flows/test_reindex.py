"""The databases are views: without them, `r1 reindex` brings every run, curve, input, version and alias back."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from r1flow.components.training.rl.meter import reproducible
from tests.conftest import Ran
from tests.runs import r1

pytestmark = pytest.mark.long

EXPERIMENT, MODEL = "r1flow", "r1-smoke"


def test_both_databases_deleted_and_reindexed_show_what_they_showed_before(smoke: Ran, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(smoke.home, home)
    before, registered = _runs(home), _registered(home)
    assert len(before) > 20
    shutil.rmtree(home / "prefect")
    for path in home.glob("mlflow.db*"):
        path.unlink()
    done = r1(home, "reindex")
    assert done.returncode == 0, done.stderr
    assert f"{len(before)} of these were missing" in done.stdout.replace("\n", " ")
    assert _runs(home) == before
    assert _registered(home) == registered
    again = r1(home, "reindex")
    assert "0 of these were missing" in again.stdout
    assert _runs(home) == before
    assert _registered(home) == registered


def test_reindexing_an_intact_database_adds_nothing(smoke: Ran, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(smoke.home, home)
    before, registered = _runs(home, every=True), _registered(home)
    done = r1(home, "reindex")
    assert "0 of these were missing" in done.stdout, done.stdout + done.stderr
    assert _runs(home, every=True) == before
    assert _registered(home) == registered


def test_promote_and_rollback_from_the_command_line(smoke: Ran, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(smoke.home, home)
    first = _registered(home)
    dev2 = next(stage["ref"] for stage in smoke.summary["stages"] if stage["name"] == "dev2")
    done = r1(home, "promote", f"rl/{dev2['fingerprint'][:12]}", "--reason", "to compare")
    assert done.returncode == 0, done.stderr
    promoted = _registered(home)
    champion = promoted["versions"][promoted["aliases"]["champion"]]
    assert champion["tags"]["r1.fingerprint"] == dev2["fingerprint"]
    assert champion["tags"]["r1.decided_by"] == "human"
    assert promoted["aliases"]["previous"] == first["aliases"]["champion"]
    entries = sorted((home / "store/promotions" / MODEL).iterdir())
    assert json.loads(entries[-1].read_bytes())["reason"] == "to compare"
    done = r1(home, "rollback")
    assert done.returncode == 0, done.stderr
    assert _registered(home)["aliases"]["champion"] == first["aliases"]["champion"]
    dataset = next(stage["ref"] for stage in smoke.summary["stages"] if stage["name"] == "problems")
    refused = r1(home, "promote", dataset["uri"].rpartition("/")[2])
    assert refused.returncode == 2
    assert "holds no model" in refused.stderr


def _client(home: Path) -> Any:
    from mlflow.tracking import MlflowClient

    uri = f"sqlite:///{home / 'mlflow.db'}"
    return MlflowClient(uri, registry_uri=uri)


def _runs(home: Path, every: bool = False) -> dict[str, Any]:
    """All runs by our ids; what the store cannot know (times, hosts, logs, times and memory by step) only with ``every``."""
    client = _client(home)
    found = client.search_runs([client.get_experiment_by_name(EXPERIMENT).experiment_id], max_results=5000)
    ours = {run.info.run_id: run.data.tags["r1.run"] for run in found}
    runs = {}
    for run in found:
        hidden = ("mlflow.", "r1.host", "r1.pid", "r1.artifact", "r1.store")
        names = run.data.metrics if every else reproducible(run.data.metrics)
        runs[ours[run.info.run_id]] = {
            "name": run.info.run_name,
            "status": run.info.status,
            "parent": ours.get(run.data.tags.get("mlflow.parentRunId", "")),
            "params": run.data.params,
            "tags": {k: v for k, v in run.data.tags.items() if not k.startswith(hidden)},
            "inputs": sorted((d.dataset.name, d.dataset.digest, d.dataset.source) for d in run.inputs.dataset_inputs),
            "curves": {n: [(m.step, m.value) for m in client.get_metric_history(run.info.run_id, n)] for n in names},
        }
    return runs


def _registered(home: Path) -> dict[str, Any]:
    client = _client(home)
    versions = client.search_model_versions(f"name = '{MODEL}'")
    return {
        "aliases": client.get_registered_model(MODEL).aliases,
        "versions": {v.version: {"source": v.source, "tags": v.tags} for v in versions},
    }
