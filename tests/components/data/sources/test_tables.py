import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from r1flow.components.core.errors import DataError
from r1flow.components.data.sources.records import MAX_LINE_BYTES, Broken, Record
from r1flow.components.data.sources.tables import read_csv


def read(data: bytes, delimiter: str = ",") -> list[Record | Broken]:
    return list(read_csv(io.BytesIO(data), delimiter, "data.sources.s"))


def found(data: bytes) -> list[tuple[int, object]]:
    return [(item.number, item.reason if isinstance(item, Broken) else dict(item.columns)) for item in read(data)]


cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"))


@given(st.lists(st.lists(cells, min_size=2, max_size=2)), st.sampled_from([",", "\t"]))
def test_a_table_gives_back_its_cells(rows: list[list[str]], delimiter: str) -> None:
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, delimiter=delimiter, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerows([["prompt", "answer"], *rows])
    items = read(b"\xef\xbb\xbf" + stream.getvalue().encode(), delimiter)
    assert [[*item.columns.values()] if isinstance(item, Record) else item for item in items] == rows


def test_a_cell_may_hold_line_breaks_and_the_number_is_that_of_the_first_line() -> None:
    assert found(b'a,b\n1,"x\ny\n"\n\n2,z\n') == [(2, {"a": "1", "b": "x\ny\n"}), (6, {"a": "2", "b": "z"})]


def test_a_bad_line_is_put_aside_with_its_reason() -> None:
    data = b'a,b\n1,"x" y\n1\n1,2,3\n1,\xff\n1,\x00\n"1,2\n3,4\n'
    assert found(data) == [
        (2, "broken quoting"), (3, "not as many cells as columns"), (4, "not as many cells as columns"), (5, "not UTF-8"),
        (6, {"a": "1", "b": "\0"}), (7, "broken quoting"), (8, {"a": "3", "b": "4"}),
    ]  # fmt: skip


def test_a_quote_that_never_closes_spoils_its_own_line() -> None:
    lines = b"".join(b"%d,%s\n" % (n, b"x" * 1000) for n in range(2 * MAX_LINE_BYTES // 1000))
    items = read(b'a,b\n"open,1\n' + lines)
    assert isinstance(items[0], Broken)
    assert len(items) == 1 + lines.count(b"\n")
    assert all(isinstance(item, Record) for item in items[1:])


def test_a_long_cell_is_a_cell_up_to_the_limit_of_a_line() -> None:
    short, long = b"x" * (MAX_LINE_BYTES // 2), b"x" * (2 * MAX_LINE_BYTES)
    items = read(b"a,b\n1," + short + b"\n2," + long + b"\n3,4\n")
    assert [type(item) for item in items] == [Record, Broken, Record]


@pytest.mark.parametrize("header", [b"a,a", b"a,", b'"a', b"\xff,b"])
def test_a_header_line_that_is_none_is_an_error(header: bytes) -> None:
    with pytest.raises(DataError, match=r"data\.sources\.s: the header line"):
        read(header + b"\n1,2\n")


def test_an_empty_file_has_no_rows() -> None:
    assert read(b"") == read(b"a,b\n") == []
