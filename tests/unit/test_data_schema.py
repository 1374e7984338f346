import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from components.data.schema import (
    MAX_LINE_BYTES,
    MAX_TEXT,
    ColumnMapping,
    QuarantinedRow,
    Row,
    check_quarantine,
    read_rows,
)
from components.errors import DataError

MAPPING = ColumnMapping()


def line(**fields: object) -> str:
    return json.dumps({"prompt": "1+1", "answer": "2", **fields})


def reason_of(text: str | bytes, mapping: ColumnMapping = MAPPING) -> str:
    rows, bad = read_rows([text], mapping, "s")
    assert rows == []
    return bad[0].reason


def test_a_good_line_becomes_a_row() -> None:
    mapping = ColumnMapping(prompt="q", id="uid", level="level", skill="arithmetic", licence="MIT")
    rows, bad = read_rows([b'{"q": "1+1", "answer": 2, "uid": 7, "level": "Level 3"}\n'], mapping, "s")
    assert bad == []
    assert rows == [
        Row(id="7", prompt="1+1", answer="2", verifier="math", skill="arithmetic", level=3, source="s", licence="MIT")
    ]


def test_a_row_without_an_id_is_called_after_its_line() -> None:
    rows, _ = read_rows(["", line(), "  \n", line()], MAPPING, "s")
    assert [row.id for row in rows] == ["s-00002", "s-00004"]


def test_the_answer_may_stand_behind_its_last_marker() -> None:
    mapping = ColumnMapping(answer_after="####")
    rows, _ = read_rows([line(answer="a #### 1\n#### 1,234 ")], mapping, "s")
    assert rows[0].answer == "1,234"
    assert reason_of(line(answer="1,234"), mapping) == "no '####' in 'answer'"
    assert reason_of(line(answer="so ####"), mapping) == "empty 'answer'"


def test_a_byte_order_mark_is_passed_over() -> None:
    rows, bad = read_rows([b"\xef\xbb\xbf" + line().encode()], MAPPING, "s")
    assert (len(rows), bad) == (1, [])


def test_a_teaching_row_needs_no_answer() -> None:
    rows, _ = read_rows([line(answer="", completion="hello")], ColumnMapping(completion="completion"), "s")
    assert (rows[0].answer, rows[0].completion) == ("", "hello")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "not JSON"),
        ("[1]", "not a JSON object"),
        ("null", "not a JSON object"),
        (b"\xff\xfe{}", "not UTF-8"),
        ("caf\u00e9 {".encode("latin-1"), "not UTF-8"),
        ('{"a":' * 10_000 + "1" + "}" * 10_000, "nested too deeply"),
        ('{"prompt": "p", "answer": NaN}', "NaN or Infinity is not JSON"),
        ('{"prompt": "p", "answer": 1e999}', "wrong type in 'answer'"),
        ('{"prompt": "p", "answer": ' + "9" * 10_000 + "}", "not JSON"),
        ('{"prompt": "p"}', "missing column 'answer'"),
        (line(prompt=3), "wrong type in 'prompt'"),
        (line(prompt=None), "wrong type in 'prompt'"),
        (line(answer=True), "wrong type in 'answer'"),
        (line(answer=["2"]), "wrong type in 'answer'"),
        (line(prompt=" "), "empty 'prompt'"),
        (line(answer=""), "empty 'answer'"),
        (line(prompt="a\0b"), "null byte in 'prompt'"),
        ('{"prompt": "\\ud800", "answer": "2"}', "lone surrogate in 'prompt'"),
        (line(prompt="x" * (MAX_TEXT + 1)), f"'prompt' longer than {MAX_TEXT} characters"),
        (b"x" * (MAX_LINE_BYTES + 1), f"line longer than {MAX_LINE_BYTES} bytes"),
    ],
)
def test_a_bad_line_is_put_aside_with_its_reason(text: str | bytes, reason: str) -> None:
    assert reason_of(text) == reason


@pytest.mark.parametrize("level", ["hard", 1.5, True, "Level ?", -1])
def test_a_level_is_a_number(level: object) -> None:
    assert reason_of(line(level=level), ColumnMapping(level="level")) == "'level' is not a level"


def test_the_second_row_of_an_id_is_put_aside() -> None:
    rows, bad = read_rows([line(id="a"), line(id="b"), line(id="a")], ColumnMapping(id="id"), "s")
    assert [row.id for row in rows] == ["a", "b"]
    assert [(entry.line, entry.reason) for entry in bad] == [(3, "duplicate id")]


def test_excerpts_are_short_and_can_be_stored() -> None:
    for text in (b"\xff\0" * 500, "\ud800" * 500, "\x1b[31m" + "x" * 500):
        _, bad = read_rows([text], MAPPING, "s")
        assert len(bad[0].excerpt) <= 200
        assert bad[0].excerpt.isprintable()
        bad[0].excerpt.encode("utf-8")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda v: st.lists(v) | st.dictionaries(st.text(), v),
)
columns = st.sampled_from(["prompt", "answer", "id", "level", "completion"])


@settings(max_examples=100)
@given(st.lists(st.binary() | st.text() | st.dictionaries(columns, json_values).map(json.dumps)))
def test_no_line_makes_reading_raise_and_none_is_lost(lines: list[str | bytes]) -> None:
    mapping = ColumnMapping(id="id", level="level", completion="completion", answer_after="#")
    for chosen in (MAPPING, mapping):
        rows, bad = read_rows(lines, chosen, "s")
        assert len(rows) + len(bad) == sum(bool(text.strip()) for text in lines)
        for row in rows:
            assert Row.model_validate_json(row.model_dump_json()) == row


def test_rows_are_strict_and_frozen() -> None:
    row = Row(id="r", prompt="p", answer="a", verifier="exact", source="s")
    with pytest.raises(ValidationError):
        row.answer = "b"  # type: ignore[misc]
    with pytest.raises(ValidationError):
        Row(id="r", prompt="p", answer=2, verifier="exact", source="s")  # type: ignore[arg-type]


def test_a_tolerable_share_of_bad_rows_passes() -> None:
    rows, bad = read_rows([line()] * 9 + ["{"], MAPPING, "s")
    check_quarantine(rows, bad, 0.1)


def test_too_many_bad_rows_end_with_a_table_of_reasons() -> None:
    rows, bad = read_rows([line()] * 7 + ["{", "[]", "{"], MAPPING, "s")
    with pytest.raises(
        DataError, match=r"3 of 10 lines(?s:.*)2  not JSON  \(first: s line 8: \{\)(?s:.*)1  not a JSON object"
    ):
        check_quarantine(rows, bad, 0.1)


def test_no_row_left_is_an_error_whatever_is_tolerated() -> None:
    with pytest.raises(DataError, match="0 rows left"):
        check_quarantine([], [QuarantinedRow("s", 1, "not JSON", "{")], 1.0)
    with pytest.raises(DataError, match="no lines at all"):
        check_quarantine([], [], 1.0)
