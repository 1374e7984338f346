"""The way back over the report's own inputs is the one over the store."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from r1flow.components.evals.lake.lineage import trace
from r1flow.components.evals.lake.made import made_of
from r1flow.components.evals.lake.shelf import StoreShelf
from r1flow.components.evals.report.lineage import way
from r1flow.components.evals.report.names import Names
from r1flow.components.store.artifact import ArtifactRef, materialize, read_manifest
from r1flow.components.store.objects import ObjectStore, open_store
from tests.components.evals.lake.lake_store import FILLS, fill

Run = tuple[dict[str, Path], dict[str, Any], StoreShelf]


NAMES = Names({"r1_zero": "R1-Zero"})
STAGES = {"problems": "dataset", "suites": "suites", "r1_zero": "rl", "evaluate/r1_zero": "evaluation"}


def filled_run(filled: Callable[[ObjectStore, Path], dict[str, ArtifactRef]], tmp_path: Path) -> Run:
    store = open_store((tmp_path / "store").as_uri())
    made = filled(store, tmp_path / "made")
    inputs = {name: materialize(store, made[of], tmp_path / "cache") for name, of in STAGES.items()}
    facts = {name: asdict(made_of(read_manifest(store, made[of]), name)) for name, of in STAGES.items()}
    return inputs, json.loads(json.dumps(facts)), StoreShelf(store, tmp_path / "cache")


@FILLS
def test_it_has_the_same_links(filled: Callable[[ObjectStore, Path], dict[str, ArtifactRef]], tmp_path: Path) -> None:
    inputs, made, shelf = filled_run(filled, tmp_path)
    found = way(inputs, made, "r1_zero", "c", NAMES)
    assert found is not None
    assert found.model == "R1-Zero"
    assert list(found.links) == trace(shelf, made["evaluate/r1_zero"]["fingerprint"], "c")


@pytest.mark.parametrize("left_out", STAGES)
def test_where_something_is_missing_there_is_no_way(tmp_path: Path, left_out: str) -> None:
    inputs, made, _ = filled_run(fill, tmp_path)
    kept = {name: facts for name, facts in made.items() if name != left_out}
    assert way(inputs, kept, "r1_zero", "c", NAMES) is None
