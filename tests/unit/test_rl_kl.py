"""The k3 estimator: hand values, its sign, its gradient, and that it is unbiased."""

import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from components.rl.kl import k3

LOGP = st.floats(-20, 0, allow_nan=False)


def float64(*values, grad=False):
    return torch.tensor(values, dtype=torch.float64, requires_grad=grad)


def test_hand_values():
    # d = ln 2: 2 - ln 2 - 1; d = -ln 2: 1/2 + ln 2 - 1
    found = k3(float64(math.log(0.25), math.log(0.5)), float64(math.log(0.5), math.log(0.25)))
    assert_close(found, float64(1 - math.log(2), math.log(2) - 0.5), atol=1e-15, rtol=0)


@settings(deadline=None)
@given(st.lists(st.tuples(LOGP, LOGP), min_size=1, max_size=8))
def test_it_is_never_negative_and_zero_where_the_two_agree(pairs):
    logp, ref = (float64(*column) for column in zip(*pairs, strict=True))
    assert (k3(logp, ref) >= -1e-12).all()
    assert (k3(logp, logp) == 0).all()


def test_the_gradient_is_that_of_finite_differences_and_none_reaches_the_reference():
    logp = float64(-0.3, -2.0, -5.0, grad=True)
    ref = float64(-1.0, -1.9, -2.0, grad=True)
    k3(logp, ref).sum().backward()
    step = 1e-6
    for i in range(3):
        moved = torch.zeros(3, dtype=torch.float64)
        moved[i] = step
        slope = (k3(logp + moved, ref).sum() - k3(logp - moved, ref).sum()) / (2 * step)
        assert abs(float(slope.detach()) - float(logp.grad[i])) < 1e-7
    assert ref.grad is None


def test_its_mean_over_the_policy_is_the_divergence():
    torch.manual_seed(0)
    policy, reference = torch.randn(2, 12, dtype=torch.float64).log_softmax(-1)
    exact = (policy.exp() * (policy - reference)).sum()
    assert_close((policy.exp() * k3(policy, reference)).sum(), exact, atol=1e-12, rtol=0)
