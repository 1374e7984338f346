"""The way from a row back to its source, over a small store."""

from pathlib import Path
from typing import Any

import pytest

from r1flow.cli.lineage import show_walk
from r1flow.components.core.errors import DataError
from r1flow.components.evals.lake.made import Made
from r1flow.components.evals.lake.origin import source_of
from r1flow.components.evals.lake.shelf import StoreShelf
from r1flow.components.evals.lake.walk import walk
from r1flow.components.store.artifact import ArtifactRef
from r1flow.components.store.objects import ObjectStore, open_store
from tests.components.evals.lake.lake_store import fill, put, rows


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return open_store((tmp_path / "store").as_uri())


@pytest.fixture
def made(store: ObjectStore, tmp_path: Path) -> dict[str, ArtifactRef]:
    return fill(store, tmp_path / "made")


@pytest.fixture
def shelf(store: ObjectStore, made: dict[str, ArtifactRef], tmp_path: Path) -> StoreShelf:
    return StoreShelf(store, tmp_path / "cache")


def test_an_answer_leads_to_checkpoint_step_rollouts_row_source_and_commit(
    shelf: StoreShelf, made: dict[str, ArtifactRef]
) -> None:
    links = walk(shelf, made["evaluation"].fingerprint, "c")
    assert [link.what for link in links] == [
        "answer", "evaluation problem", "source", "checkpoint", "training step", "rollouts", "dataset row", "source", "commit",
    ]  # fmt: skip
    said = {link.what: link for link in links}
    assert said["answer"].says == "2 of 2 samples correct"
    assert said["checkpoint"].says == "r1_zero, after step 2"
    assert said["training step"].where.endswith("lake/steps-000002-000002.parquet")
    assert said["rollouts"].group == (made["grpo"].fingerprint, 2, "c")
    assert said["dataset row"].says == "line 3: c, answer 7"


def test_a_training_problem_leads_to_the_steps_that_drew_it(shelf: StoreShelf, made: dict[str, ArtifactRef]) -> None:
    links = walk(shelf, made["grpo"].fingerprint, "b")
    assert links[0].says == "r1_zero drew b in step 1: 2 of 2 completions correct"
    assert links[1].says == "step 1, problem b: 2 of 2 correct, advantages -0.50 to +0.50"
    assert [link.what for link in links] == ["training step", "rollouts", "dataset row", "source", "commit"]


def test_a_dataset_row_leads_to_its_source(shelf: StoreShelf, made: dict[str, ArtifactRef]) -> None:
    assert [link.what for link in walk(shelf, made["dataset"].fingerprint, "a")] == ["dataset row", "source", "commit"]
    both = walk(shelf, made["dataset"].fingerprint, "c")  # a training row and a suite's problem of one name
    assert [link.where.split()[-1] for link in both if link.what == "dataset row"] == ["eval/exam.jsonl", "train.jsonl"]


def test_a_model_that_was_taught_leads_to_the_rollouts_behind_its_teaching_set(
    store: ObjectStore, made: dict[str, ArtifactRef], tmp_path: Path
) -> None:
    out = tmp_path / "teaching"
    out.mkdir()
    taught = [row.model_copy(update={"source": "lake", "completion": "12"}) for row in rows("b")]
    (out / "sft.jsonl").write_text("".join(row.model_dump_json() + "\n" for row in taught))
    teaching = put(store, out, "selection", 7, "reject", {"policy": made["grpo"], "dataset": made["dataset"]})
    out = tmp_path / "student"
    out.mkdir()
    (out / "history.jsonl").write_text('{"step": 1}\n{"step": 9}\n')
    student = put(store, out, "sft", 8, "dev3", {"dataset": teaching})
    out = tmp_path / "made" / "evaluation"
    exam = put(store, out, "evaluation", 9, "evaluate/dev3", {"model": student, "dataset": made["dataset"]})
    links = walk(StoreShelf(store, tmp_path / "cache"), exam.fingerprint, "c")
    said = {link.what: link.says for link in links}
    assert said["checkpoint"] == "dev3, after step 9"
    assert said["teaching set"] == "reject: 1 completions to learn from"
    assert said["training step"] == "r1_zero drew b in step 1: 2 of 2 completions correct"


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ("evaluation", "has no row 'zzz'; it has c"),
        ("grpo", "it has a, b"),
        ("dataset", "it has a, b, c"),
        ("sft", "give an evaluation, an RL stage or a dataset"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(
    shelf: StoreShelf, made: dict[str, ArtifactRef], start: str, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        walk(shelf, made[start].fingerprint, "zzz")


def test_the_command_prints_the_way(
    store: ObjectStore,
    made: dict[str, ArtifactRef],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("R1_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("R1_STORE", store.uri)
    monkeypatch.setenv("COLUMNS", "200")
    show_walk(made["evaluation"].short, "c")
    printed = capsys.readouterr().out
    assert "r1_zero, after step 2" in printed
    assert "train.jsonl" in printed


CURATED = {
    "data": {
        "sources": {
            "math": {"uri": None},
            "hub": {"hub": "o/d", "revision": "0" * 40, "split": "train"},
            "sum": {"generator": "reasoning-gym/x", "size": 5},
        },
        "against": {"old": {"uri": None}},
    },
    "suites": {"exam": {"source": {"uri": None}}, "old": {"source": None}},
    "digests": {"data.sources.math.uri": "aa", "suites.exam.source.uri": "bb", "data.against.old.uri": "cc"},
    "generators": {"data.sources.sum": "reasoning-gym 1"},
    "names": {},
}


def curated(config: dict[str, Any], addresses: dict[str, str] | None = None) -> Made:
    return Made("dataset", "f" * 64, "curate", None, 3, {}, config, (), addresses or {})


@pytest.mark.parametrize(
    ("source", "suite", "says"),
    [
        ("math", None, "data.sources.math: the file with sha256 aa"),
        ("hub", None, f"data.sources.hub: o/d at commit {'0' * 40}, split train"),
        ("sum", None, "data.sources.sum: made by reasoning-gym/x (reasoning-gym 1), 5 problems"),
        ("exam", "exam", "suites.exam.source: the file with sha256 bb"),
        ("old", "old", "data.against.old: the file with sha256 cc"),
        ("tinyworld", None, "tinyworld: made by r1flow, seed 3"),
    ],
)
def test_a_source_is_named_by_its_bytes_commit_or_generator(source: str, suite: str | None, says: str) -> None:
    assert source_of(curated(CURATED), source, suite) == says


def test_a_file_bears_its_name_or_where_it_lay() -> None:
    one = {"data": {"path": None}, "suites": {}, "digests": {"data.path": "dd"}, "names": {"data.path": "train.jsonl"}}
    assert source_of(curated(one), "train.jsonl", None) == "data.path: the file train.jsonl with sha256 dd"
    said = source_of(curated(one, {"data.path": "s3://b/train.jsonl"}), "train.jsonl", None)
    assert said == "data.path: the file s3://b/train.jsonl with sha256 dd"
