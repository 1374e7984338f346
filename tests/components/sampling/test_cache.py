"""The reserved cache holds what transformers' own growing cache holds."""

import pytest
import torch
from torch.testing import assert_close
from transformers import DynamicCache

from r1flow.components.sampling.cache import ReservedCache
from tests.fakes.tiny import tiny_model


def hidden_of(model, ids, cache):
    return model.base_model(input_ids=ids, past_key_values=cache, use_cache=True).last_hidden_state


@torch.no_grad()
def test_decoding_through_it_equals_decoding_through_transformers_own():
    model = tiny_model()
    ids = torch.tensor([[5, 6, 7, 8, 9, 10], [11, 12, 13, 14, 15, 16]])
    own, ours = DynamicCache(config=model.config), ReservedCache(2, 6)
    for part in ids.split([3, 1, 2], dim=1):
        assert_close(hidden_of(model, part, ours), hidden_of(model, part, own))
    assert ours.get_seq_length() == own.get_seq_length() == 6


@torch.no_grad()
def test_rows_can_be_dropped_repeated_and_reordered():
    model = tiny_model()
    first = torch.tensor([[5, 6], [7, 8], [9, 10]])
    cache = ReservedCache(2, 4)
    hidden_of(model, first, cache)
    cache.select_rows(torch.tensor([2, 0, 2]))
    following = torch.tensor([[3], [4], [5]])
    found = hidden_of(model, following, cache)[:, -1]
    plain = model.base_model(input_ids=torch.cat([first[[2, 0, 2]], following], dim=1)).last_hidden_state[:, -1]
    assert_close(found, plain, atol=1e-5, rtol=1e-5)


def test_more_tokens_than_were_reserved_are_an_error():
    model, cache = tiny_model(), ReservedCache(2, 2)
    with pytest.raises(RuntimeError), torch.no_grad():
        hidden_of(model, torch.tensor([[5, 6, 7]]), cache)
