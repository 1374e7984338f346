"""MLflow's versions and aliases follow the promotion log, and are fixed from it."""

import pytest

from r1flow.components.store.objects import open_store
from r1flow.components.tracking.promotions import promotions
from r1flow.components.tracking.registry import CHAMPION, PREVIOUS, Registry
from tests.components.tracking.test_promotions import make_ref, promote, take_back


@pytest.fixture
def store(tmp_path):
    return open_store(str(tmp_path / "store"))


@pytest.fixture
def registry(mlflow_uri):
    return Registry(mlflow_uri)


def aliases(client, model):
    return {alias: int(version) for alias, version in client.get_registered_model(model).aliases.items()}


def test_the_aliases_follow_the_log_and_a_version_carries_the_evidence(store, registry, mlflow_client):
    promote(store, "1", "follow", by="run 7")
    assert registry.project(store, "follow") == 1
    assert aliases(mlflow_client, "follow") == {CHAMPION: 1}
    promote(store, "2", "follow", action="human", reason="shorter", by="ada")
    assert registry.project(store, "follow") == 2
    version = mlflow_client.get_model_version_by_alias("follow", CHAMPION)
    assert (int(version.version), version.source) == (2, make_ref("2").uri)
    assert version.tags == {
        "r1.fingerprint": "2" * 64,
        "r1.manifest_sha256": "2" * 64,
        "r1.promotion": "2",
        "r1.promoted_by": "ada",
        "r1.decided_by": "human",
        "r1.reason": "shorter",
        "gate.pass_at_1": "0.9",
        "gate.format": "1.0",
    }
    take_back(store, "follow")
    assert registry.project(store, "follow") == 1  # back to an older one: no new version
    assert aliases(mlflow_client, "follow") == {CHAMPION: 1, PREVIOUS: 2}
    assert len(mlflow_client.search_model_versions("name = 'follow'")) == 2


def test_showing_the_same_log_again_changes_nothing(store, registry, mlflow_client):
    promote(store, "7", "again")
    assert {registry.project(store, "again") for _ in range(3)} == {1}
    assert len(mlflow_client.search_model_versions("name = 'again'")) == 1
    assert aliases(mlflow_client, "again") == {CHAMPION: 1}
    assert registry.project(store, "never-promoted") is None


def test_aliases_that_differ_are_told_and_mended_and_a_lost_registry_is_made_anew(store, registry, mlflow_client):
    for digit in "1232":
        promote(store, digit, "fix")
    registry.project(store, "fix")
    assert aliases(mlflow_client, "fix") == {CHAMPION: 2, PREVIOUS: 3}
    mlflow_client.set_registered_model_alias("fix", CHAMPION, "1")
    mlflow_client.delete_registered_model_alias("fix", PREVIOUS)
    assert registry.differences(store, "fix") == [
        "fix: alias champion is 1, the log says 2",
        "fix: alias previous is missing, the log says 3",
    ]
    registry.project(store, "fix")
    assert registry.differences(store, "fix") == []
    before = {v.version: (v.source, v.tags) for v in mlflow_client.search_model_versions("name = 'fix'")}
    mlflow_client.delete_registered_model("fix")
    registry.project(store, "fix")
    assert {v.version: (v.source, v.tags) for v in mlflow_client.search_model_versions("name = 'fix'")} == before
    assert aliases(mlflow_client, "fix") == {CHAMPION: 2, PREVIOUS: 3}


def test_a_registry_that_cannot_be_reached_leaves_the_log_standing(store, monkeypatch, caplog):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    entry = promote(store, "1")
    assert Registry("http://127.0.0.1:9").try_project(store, "r1") is None
    assert "`r1 reindex` fixes it" in caplog.text
    assert promotions(store, "r1") == [entry]
