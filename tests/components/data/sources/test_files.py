import gzip
import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from r1flow.components.core.errors import ConfigError, DataError, StoreUnavailable
from r1flow.components.data.sources import read_source, source_digest
from r1flow.components.data.sources.files import format_of
from r1flow.components.data.sources.lines import TAIL
from r1flow.components.data.sources.records import MAX_LINE_BYTES
from r1flow.components.recipe.data import SourceConfig
from tests.components.data.sources.reading import read

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


class _Failing(io.BytesIO):
    """A connection that is lost after some bytes."""

    def read(self, num: int | None = -1) -> bytes:
        if self.tell() > 20_000:
            raise OSError("connection lost")
        return super().read(num)


@pytest.mark.parametrize("suffix", ["", *PACK])
def test_bytes_that_cannot_be_fetched_are_not_taken_for_the_end_of_the_file(
    monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    data = PACK[suffix](MANY) if suffix else MANY
    monkeypatch.setattr("r1flow.components.data.sources.files._open_remote", lambda uri, setting: _Failing(data))
    with pytest.raises(StoreUnavailable, match=r"data\.sources\.s: reading 's3://b/a(?s:.*)broke off: connection lost"):
        read(f"s3://b/a.jsonl{suffix}")


def test_an_object_store_holds_the_same_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("moto.server")
    import fsspec
    from moto.server import ThreadedMotoServer

    for name, value in (
        ("AWS_ACCESS_KEY_ID", "x"),
        ("AWS_SECRET_ACCESS_KEY", "x"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
    ):
        monkeypatch.setenv(name, value)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    table = tmp_path / "a.parquet"
    pq.write_table(pa.Table.from_pylist([json.loads(line) for line in LINES.splitlines()]), table)
    try:
        store = fsspec.filesystem("s3", skip_instance_cache=True)
        store.mkdir("sources")
        store.pipe("sources/a.jsonl.zst", zstd(LINES))
        store.put(str(table), "sources/a.parquet")
        for name in ("a.jsonl.zst", "a.parquet"):
            rows, bad = read(f"s3://sources/{name}")
            assert ([row.answer for row in rows], bad) == (["0", "1", "2"], [])
        with pytest.raises(DataError, match="there is no object"):
            read("s3://sources/none.jsonl")
    finally:
        server.stop()
