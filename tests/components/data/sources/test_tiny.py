from collections import Counter

import pytest

from r1flow.components.core.errors import ConfigError, DataError
from r1flow.components.core.schema import Row
from r1flow.components.data.sources import read_source, tiny_key, tiny_rows
from r1flow.components.recipe.data import SourceConfig


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


def test_rows_of_a_named_source_are_those_of_the_tiny_world_under_its_name() -> None:
    source = SourceConfig(generator="tiny/sum", size=4, licence="Apache-2.0")
    rows = list(read_source(source, "sums", seed=1, setting="data.sources.sums"))
    plain = tiny_rows("sum", 4, 1, ())
    assert rows == [row.model_copy(update={"source": "sums", "licence": "Apache-2.0"}) for row in plain]
    more = SourceConfig(generator="tiny/sum", size=44)
    longer = {row.id: row for row in read_source(more, "sums", seed=1, setting="x") if isinstance(row, Row)}
    assert [longer[row.id].prompt for row in plain] == [row.prompt for row in plain]  # one id is one problem
    assert all(isinstance(row, Row) and row.verifier == "exact" for row in rows)
    with pytest.raises(ConfigError, match="tiny/string"):
        read_source(SourceConfig(generator="tiny/product", size=4), "x", seed=0, setting="data.sources.x")
