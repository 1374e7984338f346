import io
import json

import pytest

from r1flow.components.core.schema import QuarantinedRow, Row
from r1flow.components.data.sources.lines import read_jsonl
from r1flow.components.data.sources.read import read_rows
from r1flow.components.recipe.data import SourceConfig
from tests.components.data.sources.reading import apart


def line(**fields: object) -> bytes:
    return json.dumps({"prompt": "1+1", "answer": "2", **fields}).encode()


def rows_of(*lines: bytes, **mapping: str) -> tuple[list[Row], list[QuarantinedRow]]:
    source = SourceConfig(columns=mapping)  # type: ignore[arg-type]
    return apart(list(read_rows(read_jsonl(io.BytesIO(b"\n".join(lines))), source, "s")))


def test_a_row_without_an_id_is_called_after_its_line() -> None:
    rows, _ = rows_of(b"", line(), b"  ", line())
    assert [row.id for row in rows] == ["s-00002", "s-00004"]


def test_a_byte_order_mark_is_passed_over() -> None:
    rows, bad = rows_of(b"\xef\xbb\xbf" + line())
    assert (len(rows), bad) == (1, [])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"{", "not JSON"),
        (b"[1]", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b"\xff\xfe{}", "not UTF-8"),
        ("caf\u00e9 {".encode("latin-1"), "not UTF-8"),
        (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, "nested too deeply"),
        (b'{"prompt": "p", "answer": NaN}', "NaN or Infinity is not JSON"),
        (b'{"prompt": "p", "answer": 1e999}', "no finite number in 'answer'"),
        (b'{"prompt": "p", "answer": ' + b"9" * 10_000 + b"}", "not JSON"),
        (b'{"prompt": "\\ud800", "answer": "2"}', "lone surrogate in 'prompt'"),
        (line(prompt="a\0b"), "null byte in 'prompt'"),
    ],
)
def test_a_bad_line_is_put_aside_with_its_reason(text: bytes, reason: str) -> None:
    rows, bad = rows_of(line(), text, line())
    assert [row.id for row in rows] == ["s-00001", "s-00003"]
    assert [(entry.source, entry.line, entry.reason) for entry in bad] == [("s", 2, reason)]


def test_the_second_row_of_an_id_is_put_aside() -> None:
    rows, bad = rows_of(line(id="a"), line(id="b"), line(id="a"), line(id=7), line(id="7"), id="id")
    assert [row.id for row in rows] == ["s:a", "s:b", "s:7"]
    assert [(entry.line, entry.reason) for entry in bad] == [(3, "duplicate id"), (5, "duplicate id")]


def test_excerpts_are_short_and_can_be_stored() -> None:
    for text in (b"\xff\0" * 500, b"\x1b[31m" + b"x" * 500, json.dumps({"prompt": ["\ud800" * 500]}).encode()):
        _, bad = rows_of(text)
        assert len(bad[0].excerpt) <= 200
        assert bad[0].excerpt.isprintable()
        bad[0].excerpt.encode("utf-8")
