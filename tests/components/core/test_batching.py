"""Micro-batches keep their budget and lose no row; padding goes behind."""

from itertools import pairwise

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from r1flow.components.core.batching import micro_batches, pad_right


@settings(deadline=None)
@given(st.lists(st.integers(1, 60), max_size=40), st.integers(1, 200))
def test_every_row_is_in_one_group_and_no_group_is_over_its_budget(lengths, micro_tokens):
    groups = micro_batches(lengths, micro_tokens)
    assert sorted(i for group in groups for i in group) == list(range(len(lengths)))
    for group in groups:
        assert len(group) == 1 or len(group) * max(lengths[i] for i in group) <= micro_tokens


@settings(deadline=None)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=40), st.integers(60, 400))
def test_groups_are_filled_before_the_next_is_begun(lengths, micro_tokens):
    groups = micro_batches(lengths, micro_tokens)
    for group, following in pairwise(groups):
        assert (len(group) + 1) * lengths[following[0]] > micro_tokens


def test_equal_lengths_keep_their_order():
    assert micro_batches([5, 5, 5, 5], 10) == [[0, 1], [2, 3]]
    assert micro_batches([], 10) == []


def test_a_row_longer_than_the_budget_stands_alone():
    assert micro_batches([100, 3, 3], 8) == [[1, 2], [0]]


def test_rows_are_filled_up_behind_their_end():
    padded = pad_right([(1, 2, 3), [4], (5, 6)], 9)
    assert padded.tolist() == [[1, 2, 3], [4, 9, 9], [5, 6, 9]]
    assert padded.dtype == torch.long
