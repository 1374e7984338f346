"""Hostile files in every format: nothing raises but an error that says what is wrong, and no record is lost.

The same tests run for a minute each with ``-m slow``.
"""

import csv
import gzip
import io
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from r1flow.components.core.errors import DataError
from r1flow.components.core.schema import QuarantinedRow, Row
from r1flow.components.data.sources import read_source
from r1flow.components.data.sources.read import read_rows
from r1flow.components.data.sources.records import MAX_LINE_BYTES, Broken, Record
from r1flow.components.recipe.data import ColumnMapping, SourceConfig

MAPPINGS = [
    ColumnMapping(),
    ColumnMapping(id="id", level="level", language="language", completion="completion", answer_after="#"),
    ColumnMapping(messages="messages", answer="answer.0", answer_boxed=True, verifier_args="args"),
    ColumnMapping(prompt="messages.0.content", answer="args.a", tests="tests"),
]
SOURCES = [
    SourceConfig(columns=mapping, verifier=verifier)
    for mapping in MAPPINGS
    for verifier in ("exact", "math", "choice", "code")
]

ugly = st.sampled_from(
    [
        "\0",
        "\ud800",
        "\ufeff",
        "\u2028",
        "\r",
        "\\boxed{",
        "\\frac{",
        "{" * 50,
        "9" * 5000,
        "x" * 1_000_001,
        "=",
        "NaN",
        "####",
    ]
)
texts = st.text(max_size=20) | ugly | st.text(alphabet="0123456789\\{}()[]+-*/^_.,$abfx #", max_size=20)
scalars = st.none() | st.booleans() | st.integers() | st.integers(10**300, 10**301) | st.floats() | texts
values = st.recursive(scalars, lambda v: st.lists(v, max_size=3) | st.dictionaries(texts, v, max_size=3), max_leaves=6)
turns = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["system", "user", "assistant", "tool"]), "content": scalars}),
    max_size=4,
)
tests = st.fixed_dictionaries(
    {},
    optional={
        "stdio": st.lists(st.fixed_dictionaries({"stdin": texts, "stdout": texts}), max_size=2),
        "calls": st.lists(
            st.fixed_dictionaries({"args": st.lists(values, max_size=2), "expected": values}), max_size=2
        ),
        "assertions": texts,
    },
)
records = st.fixed_dictionaries(
    {},
    optional={
        **{name: values for name in ("prompt", "answer", "id", "level", "language", "completion", "args")},
        "messages": turns | values,
        "tests": tests | values,
    },
)


def deep(depth: int) -> Any:
    value: Any = "end"
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    return value


def hold(items: list[Row | QuarantinedRow], num: int) -> None:
    """What must be true of whatever was read: one item for one record, storable, and a row as it says."""
    assert len(items) == num
    for item in items:
        if isinstance(item, Row):
            assert Row.model_validate_json(item.model_dump_json()) == item
        else:
            assert item.reason
            assert len(item.excerpt) <= 200
            json.dumps(vars(item)).encode()
            item.excerpt.encode()


def check_records(given_records: list[Any], source: SourceConfig) -> None:
    items = list(read_rows((Record(n, r) for n, r in enumerate(given_records, 1)), source, "s"))
    hold(items, len(given_records))


def check_bytes(data: bytes, name: str, source: SourceConfig, directory: Path) -> None:
    (directory / name).write_bytes(data)
    shaped = source.model_copy(update={"uri": str(directory / name)})
    refused = ""
    items: list[Row | QuarantinedRow] = []
    try:
        items = list(read_source(shaped, "s", seed=0, setting="data.sources.s"))
    except DataError as error:
        refused = str(error)
    assert "data.sources.s" in refused or not refused
    hold(items, len(items))
    if name.endswith(".jsonl") and not refused:
        assert len(items) == sum(bool(line.strip()) for line in data.split(b"\n"))


def jsonl(rows: list[Any]) -> bytes:
    return b"\n".join(json.dumps(row).encode() for row in rows)


def array(rows: list[Any]) -> bytes:
    return json.dumps(rows, ensure_ascii=False).encode("utf-8", "surrogatepass")


def table(rows: list[Any]) -> bytes:
    stream = io.StringIO(newline="")
    names = ["prompt", "answer", "id", "level", "messages"]
    csv.writer(stream).writerows([names, *([str(row.get(name, "")) for name in names] for row in rows)])
    return stream.getvalue().encode("utf-8", "surrogatepass")


def parquet(rows: list[Any]) -> bytes:
    columns = {
        name: [str(row.get(name))[:50].encode("utf-8", "replace").decode() for row in rows]
        for name in ("prompt", "answer")
    }
    stream = io.BytesIO()
    pq.write_table(pa.table(columns), stream, row_group_size=2, write_page_checksum=True)
    return stream.getvalue()


def zstd(data: bytes) -> bytes:
    packed: bytes = pa.compress(data, "zstd", asbytes=True)
    return packed


FORMS: dict[str, Callable[[list[Any]], bytes]] = {
    "a.jsonl": jsonl,
    "a.json": array,
    "a.csv": table,
    "a.parquet": parquet,
    "a.jsonl.gz": lambda rows: gzip.compress(jsonl(rows)),
    "a.jsonl.zst": lambda rows: zstd(jsonl(rows)),
    "a.json.zst": lambda rows: zstd(array(rows)),
    "a.csv.gz": lambda rows: gzip.compress(table(rows)),
}
damage = st.tuples(st.floats(0, 1), st.sampled_from(["cut", "flip", "insert", "none", "drop"]), st.binary(max_size=9))


def damaged(data: bytes, where: float, how: str, what: bytes) -> bytes:
    place = int(where * len(data))
    if how == "flip" and what and data:
        return data[:place] + what + data[place + len(what) :]
    return {
        "cut": data[:place],
        "insert": data[:place] + what + data[place:],
        "drop": data[:place] + data[place + 3 :],
    }.get(how, data)


QUICK = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
LONG = settings(
    max_examples=10**6, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate]
)


@QUICK
@given(st.lists(records, max_size=5), st.sampled_from(SOURCES))
def test_no_record_makes_reading_raise_and_none_is_lost(rows: list[Any], source: SourceConfig) -> None:
    check_records(rows, source)


@QUICK
@given(st.lists(records, max_size=5), st.sampled_from(sorted(FORMS)), damage, st.sampled_from(SOURCES))
def test_no_bytes_make_reading_raise(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[Any],
    form: str,
    harm: tuple[float, str, bytes],
    source: SourceConfig,
) -> None:
    check_bytes(damaged(FORMS[form](rows), *harm), form, source, tmp_path_factory.getbasetemp())


@QUICK
@given(st.binary(max_size=300), st.sampled_from(sorted(FORMS)))
def test_noise_is_put_aside_or_named(tmp_path_factory: pytest.TempPathFactory, data: bytes, form: str) -> None:
    check_bytes(data, form, SOURCES[0], tmp_path_factory.getbasetemp())


def test_the_worst_that_is_known_is_put_aside_with_its_reason() -> None:
    worst = [
        {"prompt": "a\0b", "answer": "1"},
        {"prompt": "\ud800", "answer": "1"},
        {"prompt": "x" * 10_000_000, "answer": "1"},
        {"prompt": ["p"], "answer": "1"},
        {"prompt": deep(10_000), "answer": "1"},
        {"answer": "1"},
        {"prompt": "p", "answer": float("nan")},
        {"prompt": "p", "answer": "1", "id": "same"},
        {"prompt": "p", "answer": "1", "id": "same"},
    ]
    for row in worst[:7]:
        row["id"] = str(id(row))
    source = SourceConfig(columns=ColumnMapping(id="id"))
    items = list(read_rows((Record(n, r) for n, r in enumerate(worst, 1)), source, "s"))
    assert [item.reason if isinstance(item, QuarantinedRow) else "" for item in items] == [
        "null byte in 'prompt'", "lone surrogate in 'prompt'", "'prompt' longer than 1000000 characters",
        "wrong type in 'prompt'", "wrong type in 'prompt'", "missing column 'prompt'", "no finite number in 'answer'",
        "", "duplicate id",
    ]  # fmt: skip
    hold(items, len(worst))


def test_a_line_of_ten_megabytes_is_put_aside_in_every_format(tmp_path: Path) -> None:
    long = {"prompt": "x" * (MAX_LINE_BYTES + 2_000_000), "answer": "1"}
    for name, write in FORMS.items():
        if name != "a.parquet":
            (tmp_path / name).write_bytes(write([{"prompt": "p", "answer": "1"}, long, {"prompt": "p", "answer": "1"}]))
            source = SourceConfig(uri=str(tmp_path / name))
            items = list(read_source(source, "s", seed=0, setting="data.sources.s"))
            assert [isinstance(item, Row) for item in items] == [True, False, True]


class _Done(Exception):
    """The minute is over."""


@pytest.mark.slow
@pytest.mark.parametrize("what", ["records", "bytes"])
def test_a_minute_of_fuzzing_finds_nothing(what: str, tmp_path: Path) -> None:
    end = monotonic() + timedelta(minutes=1).total_seconds()
    num = 0

    @LONG
    @given(st.lists(records, max_size=5), st.sampled_from(sorted(FORMS)), damage, st.sampled_from(SOURCES))
    def fuzz(rows: list[Any], form: str, harm: tuple[float, str, bytes], source: SourceConfig) -> None:
        nonlocal num
        if monotonic() > end:
            raise _Done
        num += 1
        if what == "records":
            check_records(rows, source)
        else:
            check_bytes(damaged(FORMS[form](rows), *harm), form, source, tmp_path)

    with pytest.raises(_Done):
        fuzz()
    assert num > 100


def test_every_broken_record_keeps_its_place() -> None:
    mixed = [Record(1, {"prompt": "p", "answer": "1"}), Broken(2, "not JSON", b"\xff\x00"), Record(3, {})]
    items = list(read_rows(iter(mixed), SourceConfig(), "s"))
    assert [item.line if isinstance(item, QuarantinedRow) else item.id for item in items] == ["s-00001", 2, 3]
