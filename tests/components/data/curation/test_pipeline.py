import hashlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from r1flow.components.core.schema import QuarantinedRow, Row
from r1flow.components.data.curation import shards
from r1flow.components.data.curation.pipeline import Curated, curate
from r1flow.components.data.curation.report import write_report
from r1flow.components.data.curation.settings import Curation
from r1flow.components.data.files import dump_rows
from tests.fakes import word_problems
from tests.processes import children, kill, told, wait_until

ITEMS = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(["a b c d", "a b c e", "1 b c d", "x", "\u5c0f\u660e", "...", "left"]),
            st.sampled_from([None, "c", "d 1"]),
        ),
        st.tuples(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1), st.none()),
        st.none(),
    ),
    max_size=30,
)


def problems(num: int) -> tuple[list[Row | QuarantinedRow], list[Row]]:
    """Rows with copies of all kinds and bad ones between them; the evaluation's problems."""
    rng = Random(0)
    made = [word_problems.problem(rng) for _ in range(num)]
    rows: list[Row | QuarantinedRow] = []
    for place, (text, answer) in enumerate(made[num // 10 :]):
        rows.append(Row(id=f"r{place}", prompt=text, answer=answer, verifier="exact", source="first"))
        if place % 50 == 0:
            rows.append(QuarantinedRow("first", place, "not JSON", "\ufffd"))
    for place, (text, answer) in enumerate(rng.sample(made, num // 2)):
        text = rng.choice(word_problems.ALL)(text, rng)
        rows.append(Row(id=f"c{place}", prompt=text, answer=answer, verifier="exact", source="second", completion="c"))
        rows.append(Row(id=f"d{place}", prompt=text, answer=f"{answer}1", verifier="exact", source="second"))
    suite = [
        Row(id=f"e{i}", prompt=t, answer=a, verifier="exact", source="s") for i, (t, a) in enumerate(made[: num // 10])
    ]
    return rows, suite


def publish(root: Path, rows: list[Row | QuarantinedRow], suite: list[Row], workers: int) -> tuple[Curated, str]:
    """Curate and write as the program does; one digest over all that is written."""
    out = root / "out"
    out.mkdir(parents=True)
    found = curate(rows, {"exam": suite}, Curation(), work=root / "work", quarantine=out / "bad.jsonl", workers=workers)
    write_report(found, out)
    dump_rows(found.rows(), out / "train.jsonl")
    files = sorted(path for path in out.rglob("*") if path.is_file())
    return found, hashlib.sha256(b"".join(path.name.encode() + path.read_bytes() for path in files)).hexdigest()


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "ROWS", 100)


@pytest.mark.long
def test_the_output_is_the_same_for_any_number_of_workers(small_shards: None, tmp_path: Path) -> None:
    rows, suite = problems(400)
    found, digest = publish(tmp_path / "1", rows, suite, 1)
    assert len(found.written.shards) > 6
    assert {workers: publish(tmp_path / f"w{workers}", rows, suite, workers)[1] for workers in (2, 4)} == {
        2: digest,
        4: digest,
    }


@pytest.mark.long
def test_a_worker_that_is_killed_changes_nothing(small_shards: None, tmp_path: Path) -> None:
    rows, suite = problems(400)
    killed: list[int] = []

    def kill_a_worker() -> None:
        wait_until(lambda: list(tmp_path.glob("killed/**/ids.json")))
        for process, line in told(children(), lambda process: process.cmdline()).items():
            if "spawn_main" in " ".join(line):
                kill([process.pid])
                killed.append(process.pid)
                return

    killer = threading.Thread(target=kill_a_worker)
    killer.start()
    _, digest = publish(tmp_path / "killed", rows, suite, 2)
    killer.join()
    assert killed
    assert digest == publish(tmp_path / "whole", rows, suite, 1)[1]


def test_the_report_names_every_dropped_row_and_what_it_met(small_shards: None, tmp_path: Path) -> None:
    rows, suite = problems(300)
    found, _ = publish(tmp_path, rows, suite, 1)
    out = tmp_path / "out"
    report = json.loads((out / "report.json").read_text())
    duplicates = [json.loads(line) for line in (out / "duplicates.jsonl").read_text().splitlines()]
    pairs = [json.loads(line) for line in (out / "contamination" / "exam.jsonl").read_text().splitlines()]
    kept = [json.loads(line)["id"] for line in (out / "train.jsonl").read_text().splitlines()]
    ids = [row.id for row in rows if isinstance(row, Row)]
    named = [entry["id"] for entry in duplicates] + [pair["train_id"] for pair in pairs]
    assert sorted(kept + named) == sorted(ids)
    assert {entry["duplicate_of"] for entry in duplicates} <= set(kept)
    assert all(entry["jaccard"] >= 0.8 and entry["rule"] in ("exact", "near") for entry in duplicates)
    assert (
        len((out / "bad.jsonl").read_text().splitlines())
        == report["counts"]["quarantined"]
        == found.written.quarantined
    )
    assert sum(report["suites"]["exam"]["rules"].values()) == len(pairs)
    groups = [json.loads(line)["rows"] for line in (out / "variants.jsonl").read_text().splitlines()]
    assert sum(map(len, groups)) == report["counts"]["variants"]


def test_shards_close_at_so_many_rows_or_characters(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shards, "ROWS", 4)
    monkeypatch.setattr(shards, "CHARACTERS", 1000)

    def rows() -> Iterator[Row]:
        for number in range(10):
            yield Row(
                id=f"{number}", prompt="x" * (2000 if number == 1 else 1), answer="a", verifier="exact", source="s"
            )

    written = shards.write_shards(rows(), tmp_path, tmp_path / "bad.jsonl")
    assert written.sizes == [2, 4, 4]
    assert [row.id for shard in written.shards for row in shards.read_rows(shard)] == [f"{n}" for n in range(10)]


def test_nothing_comes_of_nothing(tmp_path: Path) -> None:
    found = curate([], {}, Curation(), work=tmp_path / "work", quarantine=tmp_path / "bad.jsonl")
    assert set(found.counts().values()) == {0}


@settings(max_examples=40, deadline=None)
@given(ITEMS, ITEMS)
def test_rows_in_are_rows_out_and_dropped(tmp_path_factory: pytest.TempPathFactory, items: list, suite: list) -> None:
    def row(place: int, item: tuple[str, str | None] | None) -> Row | QuarantinedRow:
        if item is None:
            return QuarantinedRow("s", place, "not JSON", "")
        return Row(id=f"{place}", prompt=item[0], answer="1", verifier="exact", source="s", completion=item[1])

    rows = [row(place, item) for place, item in enumerate(items)]
    exam = [made for place, item in enumerate(suite[:5]) if isinstance(made := row(place, item), Row)]
    work = tmp_path_factory.mktemp("work")
    found = curate(rows, {"exam": exam}, Curation(), work=work / "shards", quarantine=work / "bad.jsonl")
    counts = found.counts()  # raises where they do not add up
    assert counts["read"] == len(rows)
    assert counts["quarantined"] == items.count(None)
    assert counts["kept"] == len(list(found.rows()))
    assert write_report(found, work) == counts
