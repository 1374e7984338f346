"""The surrogates and ratios token by token, against hand values."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from r1flow.components.training.rl.loss import (
    capped_policy_gradient,
    clipped_surrogate,
    sequence_mean,
    sequence_ratio,
    sequence_sum,
    token_ratio,
)

ROWS = st.lists(st.lists(st.floats(-5, 0, allow_nan=False), max_size=6), min_size=1, max_size=6)


def float64(*values, grad=False):
    return torch.tensor(values, dtype=torch.float64, requires_grad=grad)


def slope_at(function, ratio, advantage):
    """Value and derivative by log p of one token whose ratio is ``ratio``."""
    logp = float64(math.log(ratio) - 3.0, grad=True)
    value = function(token_ratio(logp, float64(-3.0)), float64(advantage), logp).sum()
    value.backward()
    return value.item(), logp.grad.item()


@pytest.mark.parametrize(
    ("ratio", "advantage", "value", "slope"),
    [
        (1.5, 1.0, 1.2, 0.0),  # already likelier than the clip allows: nothing more to gain
        (1.5, -1.0, -1.5, -1.5),  # a bad token made likelier is punished without bound
        (0.5, 1.0, 0.5, 0.5),
        (0.5, -1.0, -0.8, 0.0),
        (1.1, 2.0, 2.2, 2.2),
    ],
)
def test_the_clip_takes_the_pessimistic_side_of_both_signs(ratio, advantage, value, slope):
    found = slope_at(lambda r, a, _: clipped_surrogate(r, a, clip_low=0.2, clip_high=0.2), ratio, advantage)
    assert found == pytest.approx((value, slope), abs=1e-12)


@pytest.mark.parametrize(
    ("ratio", "advantage", "value", "slope"),
    [
        (2.9, -1.0, -2.9, -2.9),
        (4.0, -1.0, -3.0, 0.0),  # bounded at c
        (4.0, 1.0, 1.28, 0.0),  # the dual clip has no say where the advantage is positive
        (0.5, -1.0, -0.8, 0.0),
        (1.0, 0.0, 0.0, 0.0),
    ],
)
def test_the_dual_clip_bounds_what_a_bad_token_can_do(ratio, advantage, value, slope):
    def surrogate(r, a, _):
        return clipped_surrogate(r, a, clip_low=0.2, clip_high=0.28, dual_clip=3.0)

    assert slope_at(surrogate, ratio, advantage) == pytest.approx((value, slope), abs=1e-12)


def test_clip_higher_lets_unlikely_good_tokens_grow_further():
    def surrogate(high):
        return lambda r, a, _: clipped_surrogate(r, a, clip_low=0.2, clip_high=high)

    assert slope_at(surrogate(0.2), 1.25, 1.0)[1] == 0
    assert slope_at(surrogate(0.28), 1.25, 1.0)[1] == pytest.approx(1.25)


@pytest.mark.parametrize(("ratio", "weight"), [(0.01, 0.01), (1.0, 1.0), (4.9, 4.9), (50.0, 5.0)])
@pytest.mark.parametrize("advantage", [1.0, -0.5])
def test_capped_weights_keep_every_tokens_gradient(ratio, weight, advantage):
    def surrogate(r, a, logp):
        return capped_policy_gradient(r, a, logp, clip_low=1.0, clip_high=4.0)

    logp = math.log(ratio) - 3.0
    expected = (weight * advantage * logp, weight * advantage)
    assert slope_at(surrogate, ratio, advantage) == pytest.approx(expected, abs=1e-12)


def test_the_sequence_ratio_is_the_geometric_mean_of_its_tokens_ratios():
    logp, old = float64(-1.0, -2.0, -3.0, -0.5), float64(-1.5, -2.5, -2.0, -0.7)
    found = sequence_ratio(logp, old, torch.tensor([3, 0, 1]))
    assert_close(found, float64(1.0, 1.0, 1.0, math.exp(0.2)), atol=1e-15, rtol=0)


def test_old_log_probabilities_are_constants():
    logp, old = float64(-1.0, -2.0, grad=True), float64(-1.1, -1.9, grad=True)
    for ratio in (token_ratio(logp, old), sequence_ratio(logp, old, torch.tensor([2]))):
        ratio.sum().backward()
    assert old.grad is None


@settings(deadline=None)
@given(ROWS, ROWS)
def test_sums_and_means_of_a_completion_have_the_same_bits_in_any_company(left, right):
    def flat(rows):
        return float64(*[v for row in rows for v in row]), torch.tensor([len(row) for row in rows])

    for function in (sequence_sum, sequence_mean):
        apart = torch.cat([function(*flat(left)), function(*flat(right))])
        assert apart.equal(function(*flat(left + right)))
    expected = [math.fsum(row) / max(1, len(row)) for row in left]
    assert sequence_mean(*flat(left)).tolist() == pytest.approx(expected, abs=1e-12)


def test_no_completions_have_no_sums():
    assert sequence_mean(float64(), torch.tensor([], dtype=torch.long)).shape == (0,)
