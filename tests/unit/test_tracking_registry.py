"""The promotion log is the truth, append-only; the alias follows it."""

import pytest

from components.errors import StoreError
from components.store.manifest import ArtifactRef
from components.store.objects import open_store
from components.tracking.registry import CHAMPION, PREVIOUS, Registry, append_promotion, promotions


@pytest.fixture
def store(tmp_path):
    return open_store(str(tmp_path / "store"))


def make_ref(digit, kind="sft"):
    return ArtifactRef(
        kind=kind,
        fingerprint=digit * 64,
        uri=f"s3://bucket/r1/artifacts/{kind}/{digit * 16}",
        manifest_sha256=digit * 64,
    )


EVALUATION = make_ref("e", "evaluate")
EVIDENCE = {"pass_at_1": 0.9, "format": 1.0}


def promote(store, digit, model="r1"):
    return append_promotion(store, model, make_ref(digit), EVALUATION, EVIDENCE)


def test_the_log_grows_and_says_who_on_what_evidence(store):
    assert promotions(store, "r1") == []
    first, second = promote(store, "1"), promote(store, "2")
    assert promotions(store, "r1") == [first, second]
    assert (first.number, second.number) == (1, 2)
    assert (second.ref, second.evaluation, second.evidence) == (make_ref("2"), EVALUATION, EVIDENCE)


def test_the_reigning_champion_is_not_entered_twice_but_may_come_back_later(store):
    first = promote(store, "1")
    before = store.read_bytes("promotions/r1/000001.json")
    assert promote(store, "1") == first
    assert store.list("promotions/r1") == ["promotions/r1/000001.json"]
    assert store.read_bytes("promotions/r1/000001.json") == before
    promote(store, "2")
    assert promote(store, "1").number == 3


def test_models_have_logs_of_their_own(store):
    promote(store, "1", "r1")
    promote(store, "2", "r1-tiny")
    assert [p.ref for p in promotions(store, "r1")] == [make_ref("1")]
    assert promote(store, "3", "r1").number == 2


def test_of_two_that_promote_at_once_one_is_told(store, monkeypatch):
    promote(store, "1")
    listed = store.list("promotions/r1")
    promote(store, "2")
    monkeypatch.setattr(type(store), "list", lambda self, prefix="": listed)
    with pytest.raises(StoreError, match="promotion 2 was made by somebody else just now"):
        promote(store, "3")
    monkeypatch.undo()
    assert [p.ref for p in promotions(store, "r1")] == [make_ref("1"), make_ref("2")]


def test_the_alias_follows_the_log_and_a_version_carries_the_evidence(store, mlflow_uri, mlflow_client):
    client, registry = mlflow_client, Registry(mlflow_uri)
    assert registry.set_champion(promote(store, "1"), "", {}) == 1
    assert registry.set_champion(promote(store, "2"), "", {"firewall.math": "passed"}) == 2
    version = client.get_model_version_by_alias("r1", CHAMPION)
    assert (int(version.version), version.source) == (2, make_ref("2").uri)
    assert version.tags == {
        "r1.fingerprint": "2" * 64,
        "r1.manifest_sha256": "2" * 64,
        "r1.promotion": "2",
        "gate.pass_at_1": "0.9",
        "gate.format": "1.0",
        "firewall.math": "passed",
    }
    assert registry.set_champion(promotions(store, "r1")[0], "", {}) == 1  # back to an older one: no new version
    assert int(client.get_model_version_by_alias("r1", CHAMPION).version) == 1
    assert int(client.get_model_version_by_alias("r1", PREVIOUS).version) == 2
    assert len(client.search_model_versions("name = 'r1'")) == 2


def test_setting_the_same_champion_again_changes_nothing(store, mlflow_uri, mlflow_client):
    entry = promote(store, "7", "again")
    assert {Registry(mlflow_uri).set_champion(entry, "", {}) for _ in range(3)} == {1}
    assert len(mlflow_client.search_model_versions("name = 'again'")) == 1
    assert mlflow_client.get_registered_model("again").aliases == {CHAMPION: 1}
