"""PPO's pieces against plain loops, and the identities that tie them to what they generalise."""

import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from r1flow.components.training.rl.ppo import ValueHead, gae, token_rewards, value_loss, whiten
from tests.fakes.dual import Dual, greatest, least

LENGTHS = st.lists(st.integers(0, 7), min_size=1, max_size=6)


def float64(values, grad=False):
    return torch.tensor(values, dtype=torch.float64, requires_grad=grad)


def make(lengths, seed):
    rng = random.Random(seed)
    return [[[rng.gauss(0, 1) for _ in range(n)] for n in lengths] for _ in range(3)]


def flat(rows):
    return float64([v for row in rows for v in row])


@settings(deadline=None)
@given(LENGTHS, st.integers(0, 10**6), st.floats(0, 1), st.floats(0, 1))
def test_advantages_are_the_discounted_sums_of_errors(lengths, seed, gamma, lam):
    rewards, values, _ = make(lengths, seed)
    advantage, returns = gae(flat(rewards), flat(values), torch.tensor(lengths), gamma=gamma, lam=lam)
    expected = []
    for r, v in zip(rewards, values, strict=True):
        ahead = [*v[1:], 0.0]
        errors = [r[t] + gamma * ahead[t] - v[t] for t in range(len(r))]
        expected += [sum((gamma * lam) ** (k - t) * errors[k] for k in range(t, len(r))) for t in range(len(r))]
    assert advantage.tolist() == pytest.approx(expected, abs=1e-12)
    assert returns.tolist() == pytest.approx(
        [a + v for a, v in zip(expected, flat(values).tolist(), strict=True)], abs=1e-12
    )


@settings(deadline=None)
@given(LENGTHS, st.integers(0, 10**6))
def test_without_discount_returns_are_sums_of_rewards_whatever_the_values_say(lengths, seed):
    rewards, values, _ = make(lengths, seed)
    _, returns = gae(flat(rewards), flat(values), torch.tensor(lengths))
    expected = [sum(row[t:]) for row in rewards for t in range(len(row))]
    assert returns.tolist() == pytest.approx(expected, abs=1e-12)


def test_with_lambda_0_an_advantage_is_the_error_of_one_step():
    advantage, _ = gae(float64([0.0, 0.0, 1.0]), float64([0.5, 0.6, 0.7]), torch.tensor([3]), lam=0.0)
    assert advantage.tolist() == pytest.approx([0.1, 0.1, 0.3], abs=1e-15)


def test_a_completion_has_the_same_advantages_in_any_company():
    rewards, values, _ = make([3, 5, 1], 4)
    whole, _ = gae(flat(rewards), flat(values), torch.tensor([3, 5, 1]), lam=0.95)
    alone, _ = gae(flat(rewards[1:2]), flat(values[1:2]), torch.tensor([5]), lam=0.95)
    assert whole[3:8].equal(alone)


def test_no_gradient_runs_through_advantages_and_returns():
    values = float64([0.1, 0.2], grad=True)
    assert not any(t.requires_grad for t in gae(float64([0.0, 1.0]), values, torch.tensor([2])))
    assert gae(float64([]), float64([]), torch.tensor([], dtype=torch.long))[0].shape == (0,)


def test_the_score_comes_with_the_last_token_and_the_divergence_with_each():
    logp, ref = float64([-1.0, -2.0, -3.0, -1.0], grad=True), float64([-1.5, -2.0, -2.0, -1.1])
    found = token_rewards(float64([1.0, 9.0, -1.0]), logp, ref, torch.tensor([3, 0, 1]), kl_weight=0.1)
    assert found.tolist() == pytest.approx([-0.05, 0.0, 1.1, -1.01], abs=1e-15)
    assert not found.requires_grad


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 20), st.integers(0, 10**6), st.floats(0.05, 2))
def test_the_value_loss_and_its_gradient_are_the_formulas(num, seed, clip):
    new, old, returns = (row[0] for row in make([num], seed))
    weight = [random.Random(seed + 1).random() for _ in range(num)]
    values = float64(new, grad=True)
    loss, clipped = value_loss(values, float64(old), float64(returns), float64(weight), clip=clip)
    loss.backward()
    total, count = Dual(0.0), 0
    for t in range(num):
        value = Dual(new[t], {t: 1.0})
        held = least(greatest(value, old[t] - clip), old[t] + clip)
        plain, kept = ((v - returns[t]) * (v - returns[t]) for v in (value, held))
        total = total + weight[t] * greatest(plain, kept) / 2
        count += kept.value > plain.value
    assert loss.item() == pytest.approx(total.value, abs=1e-12)
    assert values.grad.tolist() == pytest.approx([total.slopes.get(t, 0.0) for t in range(num)], abs=1e-12)
    assert int(clipped) == count


def test_whitened_advantages_have_mean_0_and_deviation_1():
    found = whiten(float64([1.0, 2.0, 4.0, -3.0]))
    assert float(found.mean()) == pytest.approx(0, abs=1e-12)
    assert float(found.std()) == pytest.approx(1, abs=1e-6)
    assert whiten(float64([3.0])).tolist() == [0.0]
    assert not whiten(float64([2.0, 2.0])).any()


def test_a_value_head_starts_at_0_and_learns_a_sum():
    torch.manual_seed(0)
    head = ValueHead(4)
    hidden = torch.randn(64, 4)
    wanted = hidden.sum(-1)
    assert not head(hidden).any()
    optimizer = torch.optim.SGD(head.parameters(), lr=0.5)
    for _ in range(60):
        values = head(hidden)
        loss, _ = value_loss(values, values, wanted, torch.full((64,), 1 / 64), clip=100.0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert_close(head(hidden), wanted, atol=1e-2, rtol=0)
