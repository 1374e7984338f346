"""Best fit: nothing lost, nothing too full, nearly as few rows as there could be, and always the same."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from r1flow.components.training.sft.packing import best_fit

LENGTHS = st.lists(st.integers(1, 120), max_size=200)


@given(LENGTHS, st.integers(1, 150))
def test_every_document_lies_in_one_row_and_rows_are_not_overfull(lengths, capacity):
    rows = best_fit(lengths, capacity)
    assert sorted(index for row in rows for index in row) == list(range(len(lengths)))
    for row in rows:
        assert sum(lengths[i] for i in row) <= capacity or len(row) == 1


@given(LENGTHS, st.integers(120, 400))
def test_it_stays_within_the_known_bound(lengths, capacity):
    """Dosa 2007, for first fit decreasing, which best fit decreasing shares: at most 11/9 of the optimum + 6/9 rows."""
    least = math.ceil(sum(lengths) / capacity)
    large = sum(2 * length > capacity for length in lengths)  # no two of them share a row
    rows = len(best_fit(lengths, capacity))
    assert rows >= max(least, large)
    if max(lengths, default=0) * 3 <= capacity:  # all but one row are at least 2/3 full then
        assert (rows - 1) * 2 * capacity <= 3 * sum(lengths)


def test_a_row_that_is_filled_exactly_is_preferred():
    assert best_fit([6, 5, 4, 5], 10) == [[0, 2], [1, 3]]
    assert best_fit([7, 5, 3], 10) == [[0, 2], [1]]


def test_equal_documents_keep_their_order():
    assert best_fit([4] * 5, 8) == [[0, 1], [2, 3], [4]]


def test_a_document_longer_than_a_row_stands_alone():
    assert best_fit([5, 30, 5], 10) == [[1], [0, 2]]


@pytest.mark.parametrize("capacity", [1024, 4096])
def test_lengths_as_they_come_leave_little_room(capacity):
    lengths = [20 + (i * 7919) % 500 for i in range(3000)]
    rows = best_fit(lengths, capacity)
    assert len(rows) <= 1.02 * sum(lengths) / capacity + 1
