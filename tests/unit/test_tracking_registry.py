"""The promotion log is the truth; the registry follows it and can be rebuilt from it."""

from pathlib import Path

import pytest

from components.errors import StoreError
from components.store.manifest import ArtifactRef
from components.store.objects import ObjectStore, open_store
from components.tracking.client import open_client
from components.tracking.registry import Registry, append_promotion, promotions


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    return Registry(f"sqlite:///{tmp_path_factory.mktemp('registry')}/mlflow.db")


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return open_store(str(tmp_path / "store"))


def reference(letter: str, kind: str = "model", scheme: str = "file:///store") -> ArtifactRef:
    fingerprint = letter * 64
    return ArtifactRef(kind=kind, fingerprint=fingerprint, uri=f"{scheme}/{fingerprint}", manifest_sha256="0" * 64)


def promote(store: ObjectStore, registry: Registry, model: str, letter: str) -> int:
    entry = append_promotion(store, model, reference(letter), reference("e", "evaluation"), {"pass_at_1": 0.9})
    return registry.set_champion(entry, "")


def aliases(registry: Registry, model: str) -> dict[str, int]:
    found = open_client(registry.uri).get_registered_model(model).aliases
    return {alias: int(version) for alias, version in found.items()}


def test_a_promotion_is_logged_registered_and_reigns(store: ObjectStore, registry: Registry) -> None:
    assert promote(store, registry, "first", "a") == 1
    assert aliases(registry, "first") == {"champion": 1}
    version = open_client(registry.uri).get_model_version_by_alias("first", "champion")
    assert version.source == reference("a").uri
    assert version.tags["gate.pass_at_1"] == "0.9"
    assert version.tags["r1.fingerprint"] == "a" * 64
    assert [entry.number for entry in promotions(store, "first")] == [1]
    assert store.list("promotions/first") == ["promotions/first/000001.json"]


def test_promoting_the_champion_again_changes_nothing(store: ObjectStore, registry: Registry) -> None:
    assert [promote(store, registry, "same", "a") for _ in range(3)] == [1, 1, 1]
    assert len(promotions(store, "same")) == 1
    assert len(open_client(registry.uri).search_model_versions("name = 'same'")) == 1


def test_the_former_champion_becomes_the_previous_one(store: ObjectStore, registry: Registry) -> None:
    for letter in "abb":
        promote(store, registry, "next", letter)
    assert aliases(registry, "next") == {"champion": 2, "previous": 1}


def test_going_back_to_an_earlier_model_reuses_its_version(store: ObjectStore, registry: Registry) -> None:
    assert [promote(store, registry, "back", letter) for letter in "aba"] == [1, 2, 1]
    assert aliases(registry, "back") == {"champion": 1, "previous": 2}
    assert [entry.ref.fingerprint[0] for entry in promotions(store, "back")] == ["a", "b", "a"]


def test_a_lost_alias_or_database_is_repaired_from_the_log(
    store: ObjectStore, registry: Registry, tmp_path: Path
) -> None:
    promote(store, registry, "lost", "a")
    open_client(registry.uri).delete_registered_model_alias("lost", "champion")
    assert promote(store, registry, "lost", "a") == 1
    assert aliases(registry, "lost") == {"champion": 1}
    empty = Registry(f"sqlite:///{tmp_path}/other.db")
    assert empty.set_champion(promotions(store, "lost")[-1], "") == 1
    assert aliases(empty, "lost") == {"champion": 1}


def test_of_two_at_once_one_is_told_that_it_lost(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluation = reference("e", "evaluation")
    monkeypatch.setattr(store, "create", lambda key, data: False)
    with pytest.raises(StoreError, match="promotion 1 was made by somebody else"):
        append_promotion(store, "raced", reference("a"), evaluation, {})


@pytest.mark.parametrize("scheme", ["file:///store", "/plain/path", "s3://bucket/prefix"])
def test_any_store_can_be_a_source(registry: Registry, store: ObjectStore, scheme: str) -> None:
    model = "source-" + scheme.split(":")[0].strip("/").replace("/", "-")
    entry = append_promotion(store, model, reference("a", scheme=scheme), reference("e", "evaluation"), {})
    registry.set_champion(entry, "")
    assert open_client(registry.uri).get_model_version_by_alias(model, "champion").source == entry.ref.uri
