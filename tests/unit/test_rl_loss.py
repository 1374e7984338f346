"""The GRPO objective against an oracle in plain Python: loops over completions and tokens, no tensors."""

import math
import random

import pytest
import torch
from torch.testing import assert_close

from components.rl.loss import grpo_loss, token_weights


def make_batch(seed, num=5, *, spread=0.6):
    """Completions as lists of (logp, old_logp, ref_logp), one advantage each."""
    rng = random.Random(seed)
    batch = []
    for _ in range(num):
        tokens = []
        for _ in range(rng.randint(1, 9)):
            logp = -rng.uniform(0.05, 5)
            tokens.append((logp, logp + rng.gauss(0, spread), logp + rng.gauss(0, spread)))
        batch.append((tokens, rng.gauss(0, 1)))
    return batch


def oracle(batch, *, low, high, beta):
    """-(1/G) sum_i (1/|o_i|) sum_t [min(rho A, clip(rho, 1 - low, 1 + high) A) - beta (e^d - d - 1)]"""
    total = 0.0
    for tokens, advantage in batch:
        inner = 0.0
        for logp, old, ref in tokens:
            rho = math.exp(logp - old)
            clipped = min(max(rho, 1 - low), 1 + high)
            d = ref - logp
            inner += min(rho * advantage, clipped * advantage) - beta * (math.exp(d) - d - 1)
        total += inner / len(tokens)
    return -total / len(batch)


def tensors(batch):
    """logp, old, ref, advantage and weight, flat over tokens, in float64."""
    columns = [[t[i] for tokens, _ in batch for t in tokens] for i in range(3)]
    advantage = [a for tokens, a in batch for _ in tokens]
    weight = [1 / (len(batch) * len(tokens)) for tokens, _ in batch for _ in tokens]
    return [torch.tensor(c, dtype=torch.float64) for c in (*columns, advantage, weight)]


@pytest.mark.parametrize("seed", range(5))
def test_the_loss_is_the_papers_formula(seed):
    batch = make_batch(seed)
    logp, old, ref, advantage, weight = tensors(batch)
    found = grpo_loss(logp, old, advantage, weight, clip_low=0.2, clip_high=0.28, ref_logp=ref, kl_weight=0.04)
    assert float(found.loss) == pytest.approx(oracle(batch, low=0.2, high=0.28, beta=0.04), abs=1e-12)
    without = grpo_loss(logp, old, advantage, weight, clip_low=0.2, clip_high=0.28)
    assert float(without.loss) == pytest.approx(oracle(batch, low=0.2, high=0.28, beta=0.0), abs=1e-12)
    expected_kl = sum(math.exp(r - p) - (r - p) - 1 for tokens, _ in batch for p, _, r in tokens)
    assert float(found.kl) == pytest.approx(expected_kl, abs=1e-12)
    assert float(without.kl) == 0


@pytest.mark.parametrize(
    ("ratio", "advantage", "value", "slope", "clipped"),
    [
        (1.5, 1.0, 1.2, 0.0, (0, 1)),  # already likelier than the clip allows: nothing more to gain
        (1.5, -1.0, -1.5, -1.5, (0, 0)),  # a bad token made likelier is punished without bound
        (0.5, 1.0, 0.5, 0.5, (0, 0)),
        (0.5, -1.0, -0.8, 0.0, (1, 0)),
        (1.1, 2.0, 2.2, 2.2, (0, 0)),
    ],
)
def test_the_clip_takes_the_pessimistic_side_of_both_signs(ratio, advantage, value, slope, clipped):
    logp = torch.tensor([math.log(ratio) - 3.0], dtype=torch.float64, requires_grad=True)
    old, one = torch.tensor([-3.0], dtype=torch.float64), torch.ones(1, dtype=torch.float64)
    parts = grpo_loss(logp, old, one * advantage, one, clip_low=0.2, clip_high=0.2)
    parts.loss.backward()
    assert parts.loss.item() == pytest.approx(-value, abs=1e-12)
    assert float(logp.grad) == pytest.approx(-slope, abs=1e-12)
    assert (int(parts.clipped_low), int(parts.clipped_high)) == clipped


@pytest.mark.parametrize("seed", range(3))
def test_the_gradient_is_that_of_finite_differences_of_the_oracle(seed):
    batch = make_batch(seed, num=3)
    logp, old, ref, advantage, weight = tensors(batch)
    logp.requires_grad_()
    grpo_loss(logp, old, advantage, weight, clip_low=0.2, clip_high=0.2, ref_logp=ref, kl_weight=0.1).loss.backward()
    step, position = 1e-6, 0
    for tokens, _ in batch:
        for t, (p, o, r) in enumerate(tokens):
            ends = []
            for moved in (p + step, p - step):
                tokens[t] = (moved, o, r)
                ends.append(oracle(batch, low=0.2, high=0.2, beta=0.1))
            tokens[t] = (p, o, r)
            assert float(logp.grad[position]) == pytest.approx((ends[0] - ends[1]) / (2 * step), abs=1e-7)
            position += 1


def test_on_policy_the_gradient_is_the_policy_gradient():
    logp, _, _, advantage, weight = tensors(make_batch(7))
    logp.requires_grad_()
    parts = grpo_loss(logp, logp.detach(), advantage, weight, clip_low=0.2, clip_high=0.2)
    parts.loss.backward()
    assert_close(parts.loss.detach(), -(weight * advantage).sum(), atol=1e-12, rtol=0)
    assert_close(logp.grad, -weight * advantage, atol=1e-12, rtol=0)
    assert int(parts.clipped_low) == int(parts.clipped_high) == 0


def test_old_log_probabilities_are_constants():
    logp, old, _, advantage, weight = tensors(make_batch(8))
    old.requires_grad_()
    grpo_loss(logp.requires_grad_(), old, advantage, weight, clip_low=0.2, clip_high=0.2).loss.backward()
    assert old.grad is None


def test_losses_of_any_cut_add_up():
    batch = make_batch(9, num=6)
    whole = tensors(batch)
    bound = sum(len(tokens) for tokens, _ in batch[:2])
    settings = {"clip_low": 0.2, "clip_high": 0.2, "kl_weight": 0.05}

    def loss(part):
        logp, old, ref, advantage, weight = (column[part] for column in whole)
        return grpo_loss(logp, old, advantage, weight, ref_logp=ref, **settings).loss

    assert_close(loss(slice(bound)) + loss(slice(bound, None)), loss(slice(None)), atol=1e-12, rtol=0)


def test_token_weights_are_a_mean_of_means():
    weights = token_weights(torch.tensor([1, 4, 2]), 10)
    assert_close(weights, torch.tensor([0.1] + [0.025] * 4 + [0.05] * 2), atol=1e-9, rtol=0)
    assert_close(token_weights(torch.tensor([3, 5, 1000]), 3).sum(), torch.tensor(1.0), atol=1e-6, rtol=0)
