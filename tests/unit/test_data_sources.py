import gzip
import hashlib
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from components.data.schema import MAX_LINE_BYTES, ColumnMapping
from components.data.sources import read_lines, read_source, source_digest, tiny_key, tiny_rows
from components.errors import ConfigError, DataError

LINES = "".join(json.dumps({"prompt": f"p{n}", "answer": str(n)}) + "\n" for n in range(3)).encode()


def test_plain_and_compressed_files_hold_the_same_rows(tmp_path: Path) -> None:
    plain, packed = tmp_path / "a b.jsonl", tmp_path / "a.jsonl.gz"
    plain.write_bytes(LINES)
    packed.write_bytes(gzip.compress(LINES))
    rows, bad = read_source(str(plain), ColumnMapping(), "s")
    assert [row.answer for row in rows] == ["0", "1", "2"]
    assert bad == []
    assert read_source(str(packed), ColumnMapping(), "s") == (rows, bad)
    assert read_source(plain.as_uri(), ColumnMapping(), "s") == (rows, bad)


def test_the_digest_is_that_of_the_stored_bytes(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl.gz"
    file.write_bytes(gzip.compress(LINES))
    assert source_digest(str(file)) == hashlib.sha256(file.read_bytes()).hexdigest()


def test_a_missing_file_names_the_setting_and_the_path(tmp_path: Path) -> None:
    path = str(tmp_path / "none.jsonl")
    with pytest.raises(DataError, match=r"curate\.sources\[0\].*none\.jsonl"):
        read_source(path, ColumnMapping(), "s", setting="curate.sources[0]")
    with pytest.raises(DataError, match="none"):
        source_digest(path)


def test_a_directory_is_no_source(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="directory"):
        source_digest(str(tmp_path))


@pytest.mark.parametrize(
    "uri", ["http://host/a.jsonl", "ftp://h/a", "memory://a", "simplecache::s3://b/a", "zip://a::b.zip"]
)
def test_other_schemes_are_refused(uri: str) -> None:
    with pytest.raises(ConfigError, match="s3://"):
        read_source(uri, ColumnMapping(), "s")


@pytest.mark.parametrize("spoil", [lambda b: b[:-12], lambda b: b"not gzip", lambda b: b[:20] + b"xxxx" + b[24:]])
def test_a_broken_archive_is_a_data_error(tmp_path: Path, spoil: Callable[[bytes], bytes]) -> None:
    file = tmp_path / "a.jsonl.gz"
    file.write_bytes(spoil(gzip.compress(LINES)))
    with pytest.raises(DataError, match="gzip"):
        read_source(str(file), ColumnMapping(), "s")


def test_an_endless_line_is_cut_and_the_next_line_is_read(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(b"x" * (3 * MAX_LINE_BYTES) + b"\n" + LINES)
    lengths = [len(line) for line in read_lines(str(file))]
    assert lengths == [MAX_LINE_BYTES + 1, *(len(line) for line in LINES.splitlines(keepends=True))]
    rows, bad = read_source(str(file), ColumnMapping(), "s")
    assert (len(rows), [entry.line for entry in bad]) == (3, [1])


@pytest.mark.parametrize("skill", ["sum", "string"])
def test_tiny_rows_are_distinct_and_spread_over_the_levels(skill: str) -> None:
    rows = tiny_rows(skill, 42, 0, ())
    counts = Counter(row.level for row in rows)
    assert max(counts.values()) - min(counts.values()) <= 1
    assert len(rows) == len({row.id for row in rows}) == len({tiny_key(row) for row in rows}) == 42
    assert rows[0].id == f"{skill}-{rows[0].level}-00000"
    assert {(row.verifier, row.skill, row.source) for row in rows} == {("exact", skill, "tinyworld")}


def test_tiny_rows_depend_on_the_seed_and_leave_out_what_is_excluded() -> None:
    held_out = tiny_rows("sum", 40, 1, ())
    assert held_out == tiny_rows("sum", 40, 1, ())
    keys = {tiny_key(row) for row in held_out}
    train = tiny_rows("sum", 40, 1, keys)
    assert len(train) == 40
    assert not keys & {tiny_key(row) for row in train}


def test_asking_for_more_problems_than_there_are_is_a_data_error() -> None:
    with pytest.raises(DataError, match="level 3 of 'string'"):
        tiny_rows("string", 6000, 0, ())
