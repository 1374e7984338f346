import pytest

from r1flow.components.core.errors import ConservationError
from r1flow.components.data.waterfall import Waterfall


def test_steps_that_add_up_are_reported() -> None:
    falls = Waterfall()
    falls.step("read", 10, 8, quarantined=2)
    falls.step("duplicates", 8, 5, dropped=3)
    assert [(step["name"], step["rows_in"], step["rows_out"]) for step in falls.report()] == [
        ("read", 10, 8),
        ("duplicates", 8, 5),
    ]


def test_a_step_that_loses_a_row_is_named() -> None:
    falls = Waterfall()
    with pytest.raises(ConservationError, match="read: 10 rows in are not 8 out, 1 quarantined and 0 dropped"):
        falls.step("read", 10, 8, quarantined=1)
    falls.step("read", 10, 8, quarantined=2)
    with pytest.raises(ConservationError, match="duplicates: 7 rows in, but read let 8 out"):
        falls.step("duplicates", 7, 7)
