"""The way back over the report's own inputs is the one over the store."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from r1flow.components.evals.lake.made import made_of
from r1flow.components.evals.lake.shelf import StoreShelf
from r1flow.components.evals.lake.walk import walk
from r1flow.components.evals.report.lineage import way
from r1flow.components.store.artifact import materialize, read_manifest
from r1flow.components.store.objects import open_store
from tests.components.evals.lake.lake_store import fill

Run = tuple[dict[str, Path], dict[str, Any], StoreShelf]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    store = open_store((tmp_path / "store").as_uri())
    made = fill(store, tmp_path / "made")
    names = {"curate": "dataset", "r1_zero": "grpo", "evaluate/r1_zero": "evaluation"}
    inputs = {name: materialize(store, made[of], tmp_path / "cache") for name, of in names.items()}
    facts = {name: asdict(made_of(read_manifest(store, made[of]), name)) for name, of in names.items()}
    return inputs, json.loads(json.dumps(facts)), StoreShelf(store, tmp_path / "cache")


def test_it_has_the_same_links(run: Run) -> None:
    inputs, made, shelf = run
    found = way(inputs, made, "r1_zero", "c")
    assert found is not None
    assert found.model == "R1-Zero"
    assert list(found.links) == walk(shelf, made["evaluate/r1_zero"]["fingerprint"], "c")


@pytest.mark.parametrize("left_out", ["curate", "r1_zero", "evaluate/r1_zero"])
def test_where_something_is_missing_there_is_no_way(run: Run, left_out: str) -> None:
    inputs, made, _ = run
    assert way(inputs, {name: facts for name, facts in made.items() if name != left_out}, "r1_zero", "c") is None
