import io
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from r1flow.components.data.sources import arrays
from r1flow.components.data.sources.lines import TAIL
from r1flow.components.data.sources.records import MAX_LINE_BYTES, Broken, Record


def read(data: bytes) -> list[Record | Broken]:
    return list(arrays.read_json(io.BytesIO(data)))


def reasons(data: bytes) -> list[tuple[int, str]]:
    return [(item.number, item.reason if isinstance(item, Broken) else "") for item in read(data)]


scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=8)
plain = scalars | st.lists(scalars, max_size=3) | st.dictionaries(st.text(max_size=3), scalars, max_size=3)
objects = st.lists(st.dictionaries(st.text(max_size=3), plain, max_size=3), max_size=5)


@settings(max_examples=60)
@given(objects, st.sampled_from([None, 2]), st.booleans(), st.integers(1, 9))
def test_an_array_gives_back_its_elements_wherever_it_is_cut(
    elements: list[Any], indent: int | None, ascii_only: bool, chunk: int
) -> None:
    text = json.dumps(elements, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    cutter = arrays._Cutter()
    items = [item for start in range(0, len(text), chunk) for item in cutter.feed(text[start : start + chunk])]
    items += cutter.close()
    assert [item.number for item in items] == list(range(1, len(elements) + 1))
    assert [item.columns if isinstance(item, Record) else item for item in items] == elements


def test_a_bad_element_is_one_bad_record() -> None:
    data = b'\xef\xbb\xbf [{"a": 1}, nonsense, {"a" 2}, [1], 3, , {"a": "]"}]\n '
    assert reasons(data) == [
        (1, ""), (2, "not JSON"), (3, "not JSON"), (4, "not a JSON object"), (5, "not a JSON object"), (6, "not JSON"), (7, ""),
    ]  # fmt: skip


def test_deep_and_long_elements_are_bad_records_of_their_own() -> None:
    deep = b'{"a":' * 10_000 + b"1" + b"}" * 10_000
    long = b'{"a": "' + b"x" * (2 * MAX_LINE_BYTES) + b'"}'
    found = reasons(b"[" + b",".join([b"{}", deep, long, b"{}"]) + b"]")
    assert found == [(1, ""), (2, "nested too deeply"), (3, f"longer than {MAX_LINE_BYTES} bytes"), (4, "")]


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", []), (b" \n", []), (b"[]", []), (b"[ ]", []),
        (b'{"a": 1}', [(1, "not a JSON array")]),
        (b"not json", [(1, "not a JSON array")]),
        (b"[{}, {}", [(1, ""), (2, TAIL)]),
        (b'[{}, {"a": "x}]', [(1, ""), (2, TAIL)]),
        (b"[{}] {}", [(1, ""), (2, "something behind the end of the array")]),
        (b"[{}}}, {}]", [(1, "not JSON"), (2, "")]),
    ],
)  # fmt: skip
def test_what_is_no_whole_array_says_so(data: bytes, found: list[tuple[int, str]]) -> None:
    assert reasons(data) == found
