"""Eight processes promote eight versions at once: one entry per slot, seven conflicts, and an alias that shows the last."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from r1flow.components.store.objects import open_store
from r1flow.components.tracking.promotions import append_promotion, before_last, promotions
from r1flow.components.tracking.registry import Registry
from tests.faults.promoters import MODEL
from tests.runs import ROOT, environment

PROCESSES = 8


@pytest.mark.parametrize("rounds", [4, pytest.param(20, marks=pytest.mark.slow)])
def test_of_eight_that_promote_at_once_one_wins_each_round_and_the_alias_shows_it(tmp_path: Path, rounds: int) -> None:
    from mlflow.tracking import MlflowClient

    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    client = MlflowClient(uri, registry_uri=uri)
    client.search_experiments()  # processes that make one database's tables at once would break each other
    store = open_store(str(tmp_path / "store"))
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.promoters", store.uri, uri, str(PROCESSES), str(rounds)],
        cwd=ROOT,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=550,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    report, log = json.loads(done.stdout), promotions(store, MODEL)
    assert [entry.number for entry in log] == list(range(1, rounds + 1))
    for entry, each in zip(log, report, strict=True):
        assert each["met"] == {f"p{number}": 0 for number in range(PROCESSES)} | {entry.by: entry.number}
        assert each["alias"] == entry.ref.uri
    assert len(client.search_model_versions(f"name = '{MODEL}'")) == rounds
    back = before_last(log)
    append_promotion(store, MODEL, back.ref, back.evaluation, back.evidence, after=log, action="rollback")
    Registry(uri).project(store, MODEL)
    assert client.get_model_version_by_alias(MODEL, "champion").source == log[-2].ref.uri
    assert client.get_model_version_by_alias(MODEL, "previous").source == log[-1].ref.uri
