"""Curation of several sources through `r1 run`: what is read, put aside, kept, and what it is called by."""

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.runs import r1, run_recipe, stages

pytestmark = pytest.mark.long


def problems(verb: str, num: int) -> list[dict[str, str]]:
    return [{"prompt": f"{verb} {n} and {n * 7919 % 1000}", "answer": str(n)} for n in range(num)]


def recipe(directory: Path) -> Path:
    """A recipe of five kinds of sources, two of them broken somewhere, with a table of suites."""
    lines = [json.dumps(row) for row in problems("add", 60)]
    lines[7] = '{"prompt": "half a row'
    packed = gzip.compress("\n".join(lines).encode(), mtime=0)
    (directory / "add.jsonl.gz").write_bytes(packed[:-9])
    (directory / "take.json").write_text(json.dumps([*problems("take", 40), {"prompt": "no answer"}], indent=1))
    with (directory / "pair.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [["prompt", "answer"], *(row.values() for row in problems("pair", 50)), ["one cell"]]
        )
    pq.write_table(pa.Table.from_pylist(problems("join", 30)), directory / "join.parquet")
    (directory / "held.jsonl").write_text(json.dumps(problems("join", 3)[2]) + "\n")
    path = directory / "mine.toml"
    path.write_text(
        f"""
name = "mine"
[datasets.problems]
max_bad_fraction = 0.05
[datasets.problems.sources]
add = {{ uri = "{directory}/add.jsonl.gz", weight = 1 }}
take = {{ uri = "{directory}/take.json", weight = 1 }}
pair = {{ uri = "{directory}/pair.csv", weight = 0.5 }}
join = {{ uri = "{directory}/join.parquet", weight = 1, licence = "MIT", language = "en" }}
sum = {{ generator = "tiny/sum", size = 30, weight = 0.5 }}
[suites.held]
source = {{ uri = "{directory}/held.jsonl" }}
"""
    )
    return path


def dataset(home: Path) -> dict[str, list[dict[str, Any]]]:
    (directory,) = {path.parent for path in (home / "store").rglob("train.jsonl")}
    (suites,) = {path.parent for path in (home / "store").rglob("held.jsonl") if path.parent.name != "contamination"}
    files = {name: directory / name for name in ("train.jsonl", "quarantine.jsonl")} | {"held": suites / "held.jsonl"}
    return {name: [json.loads(line) for line in path.read_text().splitlines()] for name, path in files.items()} | {
        "report": [json.loads((directory / "report.json").read_text())]
    }


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    directory = tmp_path_factory.mktemp("curate")
    home = directory / "home"
    home.mkdir()
    return home, run_recipe(home, str(recipe(directory)))


def test_every_row_in_is_a_row_out_or_has_a_reason(ran: tuple[Path, dict[str, Any]]) -> None:
    home, summary = ran
    found = dataset(home)
    (report,) = found["report"]
    metrics = stages(summary)["problems"]["metrics"]
    for step, after in zip(report["steps"], [*report["steps"][1:], None], strict=True):
        assert step["rows_in"] == step["rows_out"] + step["quarantined"] + step["dropped"]
        assert after is None or after["rows_in"] == step["rows_out"]
    assert report["steps"][-1]["rows_out"] == len(found["train.jsonl"]) == metrics["kept"]
    assert metrics["cut_off"] == 1
    assert {(entry["source"], entry["line"], entry["reason"]) for entry in found["quarantine.jsonl"]} == {
        ("add", 8, "not JSON"),
        ("add", 60, "cut off or damaged: the rest of the file cannot be read"),
        ("take", 41, "missing column 'answer'"),
        ("pair", 52, "not as many cells as columns"),
    }


def test_the_mixture_has_the_shares_of_the_weights(ran: tuple[Path, dict[str, Any]]) -> None:
    rows = dataset(ran[0])["train.jsonl"]
    counts = {name: sum(row["source"] == name for row in rows) for name in ("add", "take", "pair", "join", "sum")}
    assert counts == {"add": 29, "take": 29, "pair": 14, "join": 29, "sum": 14}
    assert {row["licence"] for row in rows if row["source"] == "join"} == {"MIT"}


def test_a_suites_problem_is_no_training_problem(ran: tuple[Path, dict[str, Any]]) -> None:
    found = dataset(ran[0])
    assert [row["prompt"] for row in found["held"]] == ["join 2 and 838"]
    assert not any(row["prompt"] == "join 2 and 838" for row in found["train.jsonl"])
    assert [match["eval_id"] for match in found["report"][0]["contaminated"]] == ["held-00001"]


def test_files_that_have_moved_are_the_same_dataset(ran: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    home, summary = ran
    again = run_recipe(home, str(recipe(tmp_path)))
    for name in ("suites", "problems"):
        assert stages(again)[name]["reused"]
        assert stages(again)[name]["ref"] == stages(summary)[name]["ref"]


def test_missing_addresses_are_one_message(tmp_path: Path) -> None:
    done = r1(tmp_path, "run", "curate-math", "--set", "problems.sources.math.uri=x.jsonl")
    assert done.returncode == 2
    assert "--set problems.sources.gsm8k.uri=FILE" in done.stderr
    assert "problems.sources.math.uri" not in done.stderr


def test_problems_with_nothing_held_out_are_a_dataset_too(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("\n".join(json.dumps(row) for row in problems("add", 20)))
    path = tmp_path / "mine.toml"
    path.write_text(f'name = "mine"\n[datasets.problems]\nsources.mine.uri = "{tmp_path}/rows.jsonl"\n')
    summary = run_recipe(tmp_path, str(path))
    assert stages(summary)["problems"]["metrics"]["kept"] == 20
