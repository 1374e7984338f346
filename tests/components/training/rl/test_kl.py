"""The estimators of the divergence: hand values, signs, gradients, and what they are unbiased for."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from r1flow.components.training.rl.kl import ESTIMATORS, k1, k2, k3

LOGP = st.floats(-20, 0, allow_nan=False)


def float64(*values, grad=False):
    return torch.tensor(values, dtype=torch.float64, requires_grad=grad)


def tables(seed=0):
    """Policy and reference over 12 tokens as log-probabilities, the policy's as a function of parameters."""
    torch.manual_seed(seed)
    logits = torch.randn(12, dtype=torch.float64, requires_grad=True)
    return logits, torch.randn(12, dtype=torch.float64).log_softmax(-1)


def gradient_of(scalar, parameters):
    return torch.autograd.grad(scalar, parameters)[0]


def test_hand_values():
    # d = ln 2: 2 - ln 2 - 1; d = -ln 2: 1/2 + ln 2 - 1
    logp, ref = float64(math.log(0.25), math.log(0.5)), float64(math.log(0.5), math.log(0.25))
    assert_close(k3(logp, ref), float64(1 - math.log(2), math.log(2) - 0.5), atol=1e-15, rtol=0)
    assert_close(k1(logp, ref), float64(-math.log(2), math.log(2)), atol=1e-15, rtol=0)
    assert_close(k2(logp, ref), float64(math.log(2) ** 2 / 2, math.log(2) ** 2 / 2), atol=1e-15, rtol=0)


@settings(deadline=None)
@given(st.lists(st.tuples(LOGP, LOGP), min_size=1, max_size=8))
def test_k2_and_k3_are_never_negative_and_all_are_zero_where_the_two_agree(pairs):
    logp, ref = (float64(*column) for column in zip(*pairs, strict=True))
    assert (k3(logp, ref) >= -1e-12).all()
    assert (k2(logp, ref) >= 0).all()
    for estimator in ESTIMATORS.values():
        assert (estimator(logp, logp) == 0).all()


@pytest.mark.parametrize("name", sorted(ESTIMATORS))
def test_the_gradient_is_that_of_finite_differences_and_none_reaches_the_reference(name):
    estimator = ESTIMATORS[name]
    logp = float64(-0.3, -2.0, -5.0, grad=True)
    ref = float64(-1.0, -1.9, -2.0, grad=True)
    estimator(logp, ref).sum().backward()
    step = 1e-6
    for i in range(3):
        moved = torch.zeros(3, dtype=torch.float64)
        moved[i] = step
        slope = (estimator(logp + moved, ref).sum() - estimator(logp - moved, ref).sum()) / (2 * step)
        assert abs(float(slope.detach()) - float(logp.grad[i])) < 1e-7
    assert ref.grad is None


@pytest.mark.parametrize("estimator", [k1, k3])
def test_the_mean_of_k1_and_of_k3_over_the_policy_is_the_divergence(estimator):
    logits, reference = tables()
    policy = logits.detach().log_softmax(-1)
    exact = (policy.exp() * (policy - reference)).sum()
    assert_close((policy.exp() * estimator(policy, reference)).sum(), exact, atol=1e-12, rtol=0)


def test_as_loss_terms_k1_teaches_nothing_k2_teaches_the_divergence_and_k3_something_else():
    logits, reference = tables()
    policy = logits.log_softmax(-1)
    sampled = policy.exp().detach()  # tokens are drawn from the policy; the draw carries no gradient
    exact = gradient_of((policy.exp() * (policy - reference)).sum(), logits)
    found = {
        name: gradient_of((sampled * estimator(logits.log_softmax(-1), reference)).sum(), logits)
        for name, estimator in ESTIMATORS.items()
    }
    assert_close(found["k1"], torch.zeros_like(exact), atol=1e-12, rtol=0)
    assert_close(found["k2"], exact, atol=1e-12, rtol=0)
    assert float((found["k3"] - exact).abs().max()) > 1e-2


@pytest.mark.parametrize("estimator", [k1, k3])
def test_times_the_ratio_k1_and_k3_have_the_divergences_gradient(estimator):
    logits, reference = tables()
    policy = logits.log_softmax(-1)
    exact = gradient_of((policy.exp() * (policy - reference)).sum(), logits)
    old = policy.detach()
    policy = logits.log_softmax(-1)
    weighted = old.exp() * (policy - old).exp() * estimator(policy, reference)
    assert_close(gradient_of(weighted.sum(), logits), exact, atol=1e-12, rtol=0)
