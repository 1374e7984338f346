"""Alone, ranks are the identity; and the deal of micro-batches gives every row to one rank and every rank as many."""

import math
from itertools import chain

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from r1flow.components.core.batching import micro_batches
from r1flow.components.training.engines import ranks

LENGTHS = st.lists(st.integers(1, 60), min_size=1, max_size=40)


def test_alone_every_function_is_the_identity(monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    with ranks.join("cpu") as device:
        assert (ranks.rank(), ranks.world_size(), device) == (0, 1, torch.device("cpu"))
        assert ranks.add_up({"a": 0.1}) == {"a": 0.1}
        assert ranks.largest({"a": math.nan}) == {"a": math.inf}
        assert ranks.gather({"a": (1, 2)}) == [{"a": [1, 2]}]
        ranks.barrier()


@given(LENGTHS, st.integers(1, 100), st.integers(1, 5))
def test_every_row_goes_to_one_rank_and_every_rank_has_as_many_rounds(lengths, micro_tokens, world):
    dealt = [ranks.turns(lengths, micro_tokens, rank=rank, world=world) for rank in range(world)]
    assert len({len(turns) for turns in dealt}) == 1
    counted = [turn.rows for turn in chain.from_iterable(dealt) if turn.counts]
    assert sorted(chain.from_iterable(counted)) == list(range(len(lengths)))
    assert all(len(rows) == 1 or len(rows) * max(lengths[i] for i in rows) <= micro_tokens for rows in counted)


@given(LENGTHS, st.integers(1, 100), st.integers(2, 5))
def test_no_fewer_rounds_would_do_and_a_filler_is_as_short_as_can_be(lengths, micro_tokens, world):
    turns = ranks.turns(lengths, micro_tokens, rank=world - 1, world=world)
    assert len(turns) == math.ceil(len(micro_batches(lengths, micro_tokens)) / world)
    for turn in turns:
        assert turn.counts or [lengths[i] for i in turn.rows] == [min(lengths)]
    assert [turn.counts for turn in turns] == sorted((turn.counts for turn in turns), reverse=True)


@given(LENGTHS, st.integers(1, 100))
def test_one_rank_keeps_the_micro_batches_of_before(lengths, micro_tokens):
    dealt = ranks.turns(lengths, micro_tokens, rank=0, world=1)
    assert [list(turn.rows) for turn in dealt] == micro_batches(lengths, micro_tokens)


def test_tokens_are_balanced_where_the_plain_cut_is_not():
    lengths = [100] * 8 + [10] * 8
    assert [len(rows) for rows in micro_batches(lengths, 600)] == [8, 6, 2]  # 80, 600 and 200 padded tokens
    dealt = [ranks.turns(lengths, 600, rank=rank, world=4) for rank in range(4)]
    assert [sum(len(t.rows) * max(lengths[i] for i in t.rows) for t in turns) for turns in dealt] == [300, 300, 200, 80]


@pytest.mark.parametrize("counts", [True, False])
def test_a_filler_has_a_gradient_of_zeros_and_not_none(counts):
    weight = torch.tensor([2.0], requires_grad=True)
    ranks.Turn((0,), counts).weigh(3 * weight.sum()).backward()
    assert weight.grad.tolist() == [3.0 if counts else 0.0]
