import pytest

from r1flow.components.core.errors import DataError
from r1flow.components.core.schema import QuarantinedRow, Row
from r1flow.components.data.quarantine import Tally, check_quarantine

ROW = Row(id="r", prompt="p", answer="a", verifier="exact", source="s")


def tally(rows: int, *reasons: str) -> Tally:
    counted = Tally("s")
    for _ in range(rows):
        counted.add(ROW)
    for number, reason in enumerate(reasons, rows + 1):
        counted.add(QuarantinedRow("s", number, reason, "{"))
    return counted


def test_a_tolerable_share_of_bad_rows_passes() -> None:
    check_quarantine(tally(9, "not JSON"), 0.1)


def test_too_many_bad_rows_end_with_a_table_of_reasons() -> None:
    found = tally(7, "not JSON", "not a JSON object", "not JSON")
    table = r"s: 3 of 10 lines(?s:.*)2  not JSON  \(first: line 8: \{\)(?s:.*)1  not a JSON object"
    with pytest.raises(DataError, match=table):
        check_quarantine(found, 0.1)


def test_no_row_left_is_an_error_whatever_is_tolerated() -> None:
    with pytest.raises(DataError, match="0 rows left"):
        check_quarantine(tally(0, "not JSON"), 1.0)
    with pytest.raises(DataError, match="no lines at all"):
        check_quarantine(tally(0), 1.0)
