import gzip
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from components.config.data import SourceConfig
from components.data.sources import read_source, source_digest
from components.data.sources.files import format_of
from components.data.sources.lines import TAIL
from components.data.sources.records import MAX_LINE_BYTES
from components.errors import ConfigError, DataError
from tests.unit.data_sources import read

LINES = "".join(json.dumps({"prompt": f"p{n}", "answer": str(n)}) + "\n" for n in range(3)).encode()
MANY = "".join(json.dumps({"prompt": f"{n} {hash(n * 7919)}", "answer": str(n)}) + "\n" for n in range(12_000)).encode()


def zstd(data: bytes) -> bytes:
    packed: bytes = pa.compress(data, codec="zstd", asbytes=True)
    return packed


PACK: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.compress, ".zst": zstd}


def test_plain_and_compressed_files_hold_the_same_rows(tmp_path: Path) -> None:
    plain = tmp_path / "a b.jsonl"
    plain.write_bytes(LINES)
    rows, bad = read(plain)
    assert ([row.answer for row in rows], bad) == (["0", "1", "2"], [])
    assert read(plain.as_uri()) == (rows, bad)
    for suffix, pack in PACK.items():
        packed = tmp_path / f"a.jsonl{suffix}"
        packed.write_bytes(pack(LINES[:40]) + pack(LINES[40:]))  # archives may be written one behind another
        assert read(packed) == (rows, bad)


@pytest.mark.parametrize("suffix", PACK)
def test_what_stands_before_the_end_of_a_cut_off_archive_is_kept_and_the_rest_is_one_entry(
    tmp_path: Path, suffix: str
) -> None:
    whole, file = PACK[suffix](MANY), tmp_path / f"a.jsonl{suffix}"
    for end in (len(whole) - 3, len(whole) // 2):
        file.write_bytes(whole[:end])
        rows, bad = read(file)
        assert 2_000 < len(rows) <= 12_000
        assert [row.answer for row in rows] == [str(n) for n in range(len(rows))]
        assert [(entry.line, entry.reason) for entry in bad] == [(len(rows) + 1, TAIL)]
        assert "trunc" in bad[0].excerpt.lower() or "end-of-stream" in bad[0].excerpt


@pytest.mark.parametrize("suffix", PACK)
def test_what_is_no_archive_at_all_is_one_entry(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"a.jsonl{suffix}"
    file.write_bytes(b"not an archive")
    rows, bad = read(file)
    assert (rows, [(entry.line, entry.reason) for entry in bad]) == ([], [(1, TAIL)])


def test_the_digest_is_that_of_the_stored_bytes(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl.gz"
    file.write_bytes(gzip.compress(LINES))
    assert source_digest(str(file)) == hashlib.sha256(file.read_bytes()).hexdigest()


def test_a_missing_file_names_the_setting_and_the_path(tmp_path: Path) -> None:
    source = SourceConfig(uri=str(tmp_path / "none.jsonl"))
    with pytest.raises(DataError, match=r"data\.sources\.s.*none\.jsonl"):
        next(read_source(source, "s", seed=0, setting="data.sources.s"))
    with pytest.raises(DataError, match="none"):
        source_digest(source.uri or "")


def test_a_directory_is_no_source(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="directory"):
        source_digest(str(tmp_path))
    with pytest.raises(DataError, match="null byte"):
        source_digest("a\0b")


@pytest.mark.parametrize(
    "uri", ["http://host/a.jsonl", "ftp://h/a", "memory://a", "simplecache::s3://b/a", "zip://a::b.zip"]
)
def test_other_schemes_are_refused(uri: str) -> None:
    with pytest.raises(ConfigError, match="s3://"):
        read(uri)


def test_the_format_is_in_the_name_or_in_the_settings(tmp_path: Path) -> None:
    assert format_of("hf://datasets/a/b/Data.JSON.ZST") == (".json", ".zst")
    assert format_of("/data.v2/train") == ("", "")
    file = tmp_path / "train"
    file.write_bytes(LINES)
    assert len(read(file)[0]) == 3  # JSONL where nothing says otherwise
    file.write_bytes(b"prompt,answer\np,1\n")
    assert len(read(file, format="csv")[0]) == 1


def test_an_endless_line_is_cut_and_the_next_line_is_read(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(b"x" * (3 * MAX_LINE_BYTES) + b"\n" + LINES)
    rows, bad = read(file)
    assert [row.id for row in rows] == ["s-00002", "s-00003", "s-00004"]
    assert [(entry.line, entry.reason) for entry in bad] == [(1, f"longer than {MAX_LINE_BYTES} bytes")]
