"""Token weights: each normalisation by hand, and that the denominator is the batch's and not the part's."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from r1flow.components.training.rl.loss import token_weights

LENGTHS = st.lists(st.integers(0, 9), min_size=1, max_size=8)
KINDS = ["sequence", "token", "constant"]


def weights(lengths, kind, whole=None, max_tokens=10):
    whole = whole or lengths
    return token_weights(torch.tensor(lengths), kind, completions=len(whole), tokens=sum(whole), max_tokens=max_tokens)


def test_each_normalisation_by_hand():
    lengths = [1, 4, 2]
    assert weights(lengths, "sequence").tolist() == pytest.approx([1 / 3] + [1 / 12] * 4 + [1 / 6] * 2, abs=1e-15)
    assert weights(lengths, "token").tolist() == pytest.approx([1 / 7] * 7, abs=1e-15)
    assert weights(lengths, "constant").tolist() == pytest.approx([1 / 30] * 7, abs=1e-15)


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None)
@given(LENGTHS, LENGTHS)
def test_the_weights_of_a_part_are_the_wholes(kind, left, right):
    whole = left + right
    parts = torch.cat([weights(part, kind, whole) for part in (left, right)])
    assert parts.equal(weights(whole, kind))


@settings(deadline=None)
@given(st.lists(st.integers(1, 2000), min_size=1, max_size=8))
def test_means_sum_to_one(lengths):
    for kind in ("sequence", "token"):
        assert float(weights(lengths, kind).sum()) == pytest.approx(1, abs=1e-12)


def test_an_empty_batch_has_no_weights_and_divides_by_nothing():
    for kind in KINDS:
        found = token_weights(torch.tensor([0]), kind, completions=1, tokens=0, max_tokens=5)
        assert found.shape == (0,)


def test_in_float32_they_are_those_that_were_always_taken():
    lengths = torch.tensor([3, 5, 1000])
    found = token_weights(lengths, "sequence", completions=7, tokens=0, max_tokens=1).to(torch.float32)
    assert_close(found, (1.0 / (lengths.double() * 7)).float().repeat_interleave(lengths), atol=0, rtol=0)
