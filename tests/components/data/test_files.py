"""Rows survive their file whatever they say."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from r1flow.components.core.errors import DataError
from r1flow.components.core.schema import Row
from r1flow.components.data.files import dump_rows, load_rows

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
ROWS = st.builds(
    Row,
    id=TEXT,
    prompt=TEXT,
    answer=TEXT,
    verifier=st.sampled_from(["exact", "math"]),
    skill=TEXT,
    level=st.none() | st.integers(0, 10**6),
    source=TEXT,
    licence=st.none() | TEXT,
    completion=st.none() | TEXT,
)


@settings(deadline=None, max_examples=60)
@given(st.lists(ROWS, max_size=5))
def test_rows_come_back_as_they_were(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    dump_rows(rows, path)
    assert load_rows(path) == rows
    before = path.read_bytes()
    dump_rows(load_rows(path), path)
    assert path.read_bytes() == before


def test_a_line_that_is_no_row_is_named(tmp_path):
    path = tmp_path / "rows.jsonl"
    dump_rows([Row(id="a", prompt="1+1", answer="2", verifier="exact", source="s")], path)
    with path.open("a") as stream:
        stream.write('{"id": "b", "prompt": 5}\n')
    with pytest.raises(DataError, match=r"rows\.jsonl, line 2"):
        load_rows(path)
