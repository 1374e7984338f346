"""What training rows still meet, and pass@1 without it."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from r1flow.components.core.errors import DataError
from r1flow.components.evals.contamination import FILE, clean_pass_at_1, met_by_any, met_problems


def dataset(path: Path, text: str) -> Path:
    path.mkdir()
    (path / FILE).write_text(text)
    return path


def test_a_dataset_that_was_held_against_nothing_meets_nothing(tmp_path: Path) -> None:
    assert met_problems(tmp_path) == {}


def test_suites_of_which_nothing_is_met_are_left_out_and_datasets_add_up(tmp_path: Path) -> None:
    one = dataset(tmp_path / "one", '{"sums": {"p1": "variant"}, "strings": {}}')
    other = dataset(tmp_path / "other", '{"sums": {"p1": "variant", "p2": "words"}, "strings": {}}')
    assert met_problems(one) == {"sums": {"p1": "variant"}}
    assert met_by_any([one, other]) == {"sums": {"p1", "p2"}}


@pytest.mark.parametrize("text", ["[]", '{"sums": 1}', '{"sums": {"p": 1}}', "{"])
def test_another_form_is_refused_by_name(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError, match=r"contaminated\.json"):
        met_problems(dataset(tmp_path / "d", text))


def test_pass_at_1_is_that_of_the_problems_that_are_not_met(tmp_path: Path) -> None:
    table = {"problem_id": ["a", "a", "b", "b"], "verdict": ["CORRECT", "CORRECT", "CORRECT", "WRONG"]}
    pq.write_table(pa.table(table), tmp_path / "sums.parquet")
    found = clean_pass_at_1(tmp_path, "sums", {"a"})
    assert found is not None
    assert found.mean == 0.5
    assert clean_pass_at_1(tmp_path, "sums", {"a", "b"}) is None
