"""The way from a row back to its source, over a small store."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from r1flow.cli.lineage import show_row
from r1flow.components.core.errors import DataError
from r1flow.components.evals.lake.lineage import trace
from r1flow.components.evals.lake.made import Made
from r1flow.components.evals.lake.origin import source_of
from r1flow.components.evals.lake.shelf import StoreShelf
from r1flow.components.store.artifact import ArtifactRef
from r1flow.components.store.objects import ObjectStore, open_store
from tests.components.evals.lake.lake_store import fill, fill_former, put, rows


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return open_store((tmp_path / "store").as_uri())


@pytest.fixture(params=[fill, fill_former], ids=["today", "former"])
def made(request: pytest.FixtureRequest, store: ObjectStore, tmp_path: Path) -> dict[str, ArtifactRef]:
    found: dict[str, ArtifactRef] = request.param(store, tmp_path / "made")
    return found


@pytest.fixture
def shelf(store: ObjectStore, made: dict[str, ArtifactRef], tmp_path: Path) -> StoreShelf:
    return StoreShelf(store, tmp_path / "cache")


def test_an_answer_leads_to_checkpoint_step_rollouts_row_source_and_commit(
    shelf: StoreShelf, made: dict[str, ArtifactRef]
) -> None:
    links = trace(shelf, made["evaluation"].fingerprint, "c")
    assert [link.what for link in links] == [
        "answer", "evaluation problem", "source", "checkpoint", "training step", "rollouts", "dataset row", "source", "commit",
    ]  # fmt: skip
    said = {link.what: link for link in links}
    assert said["answer"].says == "2 of 2 samples correct"
    assert said["checkpoint"].says == "r1_zero, after step 2"
    assert said["training step"].where.endswith("lake/steps-000002-000002.parquet")
    assert said["rollouts"].group == (made["rl"].fingerprint, 2, "c")
    assert said["dataset row"].says == "line 3: c, answer 7"


def test_a_training_problem_leads_to_the_steps_that_drew_it(shelf: StoreShelf, made: dict[str, ArtifactRef]) -> None:
    links = trace(shelf, made["rl"].fingerprint, "b")
    assert links[0].says == "r1_zero drew b in step 1: 2 of 2 completions correct"
    assert links[1].says == "step 1, problem b: 2 of 2 correct, advantages -0.50 to +0.50"
    assert [link.what for link in links] == ["training step", "rollouts", "dataset row", "source", "commit"]


def test_a_dataset_row_leads_to_its_source(shelf: StoreShelf, made: dict[str, ArtifactRef]) -> None:
    assert [link.what for link in trace(shelf, made["dataset"].fingerprint, "a")] == ["dataset row", "source", "commit"]
    links = trace(shelf, made["dataset"].fingerprint, "c")
    links += trace(shelf, made["suites"].fingerprint, "c") if made["suites"] != made["dataset"] else []
    found = {link.where.split()[-1].rpartition("/")[2] for link in links if link.what == "dataset row"}
    assert found == {"exam.jsonl", "train.jsonl"}  # a training row and a suite's problem of one name


def test_a_model_that_was_taught_leads_to_the_rollouts_behind_its_data(
    store: ObjectStore, made: dict[str, ArtifactRef], tmp_path: Path
) -> None:
    out = tmp_path / "teaching"
    out.mkdir()
    taught = [row.model_copy(update={"source": "lake", "completion": "12"}) for row in rows("b")]
    (out / "sft.jsonl").write_text("".join(row.model_dump_json() + "\n" for row in taught))
    teaching = put(store, out, "selection", 7, "teaching", {"from": made["rl"], "problems": made["dataset"]})
    out = tmp_path / "student"
    out.mkdir()
    (out / "history.jsonl").write_text('{"step": 1}\n{"step": 9}\n')
    student = put(store, out, "sft", 8, "dev3", {"data": teaching})
    out = tmp_path / "made" / "evaluation"
    exam = put(store, out, "evaluation", 9, "evaluate/dev3", {"model": student, "suites": made["suites"]})
    links = trace(StoreShelf(store, tmp_path / "cache"), exam.fingerprint, "c")
    said = {link.what: link.says for link in links}
    assert said["checkpoint"] == "dev3, after step 9"
    assert said["SFT data"] == "teaching: 1 completions to learn from"
    assert said["training step"] == "r1_zero drew b in step 1: 2 of 2 completions correct"


def test_a_model_that_learned_from_demonstrations_leads_to_their_source(store: ObjectStore, tmp_path: Path) -> None:
    sources = {"sources": {"mine": {"uri": None}}}
    config = {"config": {"dataset": sources, "digests": {"dataset.sources.mine.uri": "aa"}}}
    traces = tmp_path / "traces"
    traces.mkdir()
    taught = [row.model_copy(update={"source": "mine", "completion": "12"}) for row in rows("ab")]
    (traces / "sft.jsonl").write_text("".join(row.model_dump_json() + "\n" for row in taught))
    data = put(store, traces, "dataset", 1, "traces", {}, config)
    chosen = tmp_path / "chosen"
    chosen.mkdir()
    (chosen / "sft.jsonl").write_text(taught[1].model_copy(update={"source": "lake"}).model_dump_json() + "\n")
    selection = put(store, chosen, "selection", 2, "chosen", {"from": data})
    model = tmp_path / "model"
    model.mkdir()
    (model / "history.jsonl").write_text('{"step": 3}\n')
    suites = tmp_path / "suites"
    suites.mkdir()
    (suites / "exam.jsonl").write_text(rows("c")[0].model_dump_json() + "\n")
    exams = put(store, suites, "suites", 3, "suites", {}, {"config": {"suites": {}, "digests": {}}})
    answers = tmp_path / "answers"
    answers.mkdir()
    pq.write_table(pa.table({"problem_id": ["c"], "verdict": ["WRONG"]}), answers / "exam.parquet")
    trained = put(store, model, "sft", 4, "tuned", {"data.0": data, "data.1": selection})
    exam = put(store, answers, "evaluation", 5, "evaluate/tuned", {"model": trained, "suites": exams})
    links = trace(StoreShelf(store, tmp_path / "cache"), exam.fingerprint, "c")
    assert [link.says for link in links if link.what == "SFT data"] == [
        "traces: 2 completions to learn from",
        "chosen: 1 completions to learn from",
    ]
    assert [link.says[:9] for link in links if link.what == "dataset row"] == ["line 1: a", "line 2: b"]
    assert [link.says for link in links if link.what == "source"][1:] == [
        "dataset.sources.mine: the file with sha256 aa"
    ] * 2


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ("evaluation", "has no row 'zzz'; it has c"),
        ("rl", "it has a, b"),
        ("dataset", "it has a, b, c"),
        ("sft", "give an evaluation, an RL stage, a dataset or suites"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(
    shelf: StoreShelf, made: dict[str, ArtifactRef], start: str, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        trace(shelf, made[start].fingerprint, "zzz")


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
    show_row(made["evaluation"].short, "c")
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


TODAY = {
    "dataset": {
        "sources": {
            "math": {"uri": None},
            "hub": {"hub": "o/d", "revision": "0" * 40, "split": "train"},
            "sum": {"generator": "tiny/sum", "size": 5},
        }
    },
    "digests": {"dataset.sources.math.uri": "aa"},
    "generators": {"dataset.sources.sum": "builtin"},
}
SUITES = {
    "suites": {"exam": {"source": {"uri": None}}, "sums": {"source": {"generator": "tiny/sum", "size": 7}}},
    "digests": {"suites.exam.source.uri": "bb"},
    "generators": {"suites.sums.source": "builtin"},
}


@pytest.mark.parametrize(
    ("config", "source", "suite", "says"),
    [
        (TODAY, "math", None, "dataset.sources.math: the file s3://b/math.jsonl with sha256 aa"),
        (TODAY, "hub", None, f"dataset.sources.hub: o/d at commit {'0' * 40}, split train"),
        (TODAY, "sum", None, "dataset.sources.sum: made by tiny/sum (builtin), 5 problems"),
        (SUITES, "exam", "exam", "suites.exam.source: the file with sha256 bb"),
        (SUITES, "sums", "sums", "suites.sums.source: made by tiny/sum (builtin), 7 problems"),
    ],
)
def test_datasets_and_suites_of_today_name_their_sources(
    config: dict[str, Any], source: str, suite: str | None, says: str
) -> None:
    addresses = {"dataset.sources.math.uri": "s3://b/math.jsonl"}
    assert source_of(curated(config, addresses), source, suite) == says


def test_a_file_bears_its_name_or_where_it_lay() -> None:
    one = {"data": {"path": None}, "suites": {}, "digests": {"data.path": "dd"}, "names": {"data.path": "train.jsonl"}}
    assert source_of(curated(one), "train.jsonl", None) == "data.path: the file train.jsonl with sha256 dd"
    said = source_of(curated(one, {"data.path": "s3://b/train.jsonl"}), "train.jsonl", None)
    assert said == "data.path: the file s3://b/train.jsonl with sha256 dd"
