"""Every objective, value and gradient, against an oracle in plain Python: loops and dual numbers, no tensors."""

import math
import random
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from r1flow.components.training.rl.loss import SUMS, Loss, Tokens, correction_weights, policy_loss, token_weights
from tests.fakes.dual import Dual, greatest, least

L_MAX = 12
ALGORITHMS = {
    "grpo": Loss(),
    "dr_grpo": Loss(normalization="constant", max_tokens=L_MAX),
    "dapo": Loss(normalization="token", clip_high=0.28),
    "gspo": Loss(ratio="sequence", clip_low=0.03, clip_high=0.04),
    "cispo": Loss(surrogate="cispo", normalization="token", clip_low=1.0, clip_high=0.5),
}
EXTRAS = {
    "plain": {},
    "kl": {"kl_weight": 0.04},
    "k2": {"kl_weight": 0.3, "kl_estimator": "k2"},
    "unbiased k3": {"kl_weight": 0.1, "kl_unbiased": True},
    "unbiased k1": {"kl_weight": 0.1, "kl_estimator": "k1", "kl_unbiased": True},
    "dual clip": {"dual_clip": 1.6},
    "entropy": {"entropy_weight": 0.02},
    "tis": {"correction": "tis", "correction_bounds": (0.0, 1.2)},
    "icepop and kl": {"correction": "icepop", "correction_bounds": (0.8, 1.3), "kl_weight": 0.05},
    "sequence mask": {"correction": "sequence_mask", "correction_bounds": (0.5, 2.0)},
}
CASES = [(a, e) for a in ALGORITHMS for e in EXTRAS if (a, e) != ("cispo", "dual clip")]


def make_batch(seed, num=6, *, on_policy=False):
    """Completions: (tokens, advantage); a token is (logp, old, reference, sampled, entropy)."""
    rng = random.Random(seed)
    batch = []
    for i in range(num):
        tokens = []
        for _ in range(1 if i == 0 else rng.randint(1, 9)):
            logp = -rng.uniform(0.05, 5)
            old = logp if on_policy else logp + rng.gauss(0, 0.5)
            tokens.append((logp, old, logp + rng.gauss(0, 0.5), old + rng.gauss(0, 0.2), rng.uniform(0, 3)))
        batch.append((tokens, rng.gauss(0, 1)))
    return batch


def weight_of(loss, batch, length):
    total = sum(len(tokens) for tokens, _ in batch)
    return {
        "sequence": 1 / (len(batch) * length),
        "token": 1 / total,
        "constant": 1 / (len(batch) * L_MAX),
    }[loss.normalization]


def corrected(loss, tokens):
    """The correction of every token of one completion: the sampler's log p against the old one."""
    gaps = [old - sampled for _, old, _, sampled, _ in tokens]
    low, high = loss.correction_bounds
    if loss.correction == "none":
        return [1.0] * len(gaps)
    if loss.correction == "tis":
        return [min(math.exp(g), high) for g in gaps]
    ratios = [math.exp(g) for g in gaps]
    if loss.correction == "sequence_mask":
        ratios = [math.exp(sum(gaps))] * len(gaps)
    return [r if low <= r <= high else 0.0 for r in ratios]


def oracle(batch, loss):
    """The loss as a dual number; variables are ("logp" or "entropy", completion, token)."""
    total = Dual(0.0)
    for i, (tokens, advantage) in enumerate(batch):
        logps = [Dual(token[0], {("logp", i, t): 1.0}) for t, token in enumerate(tokens)]
        logs = [logp - token[1] for logp, token in zip(logps, tokens, strict=True)]
        sequence = sum(logs, Dual(0.0)) / len(tokens)
        for t, (token, correction) in enumerate(zip(tokens, corrected(loss, tokens), strict=True)):
            ratio = (logs[t] if loss.ratio == "token" else sequence).exp()
            clipped = least(greatest(ratio, 1 - loss.clip_low), 1 + loss.clip_high)
            if loss.surrogate == "cispo":
                term = logps[t] * (clipped.value * advantage)
            else:
                term = least(ratio * advantage, clipped * advantage)
                if loss.dual_clip and advantage < 0:
                    term = greatest(term, loss.dual_clip * advantage)
            term = term * correction
            if loss.kl_weight:
                d = token[2] - logps[t]
                divergence = {"k1": -d, "k2": d * d / 2, "k3": d.exp() - d - 1}[loss.kl_estimator]
                term = term - loss.kl_weight * (divergence * logs[t].exp() if loss.kl_unbiased else divergence)
            if loss.entropy_weight:
                term = term + loss.entropy_weight * Dual(token[4], {("entropy", i, t): 1.0})
            total = total - weight_of(loss, batch, len(tokens)) * term
    return total


def tensors(batch, loss, *, dtype=torch.float64):
    columns = [torch.tensor([token[c] for tokens, _ in batch for token in tokens], dtype=dtype) for c in range(5)]
    lengths = torch.tensor([len(tokens) for tokens, _ in batch])
    return Tokens(
        logp=columns[0].requires_grad_(),
        entropy=columns[4].requires_grad_(),
        old=columns[1],
        sampled=columns[3],
        advantage=torch.tensor([a for _, a in batch], dtype=dtype).repeat_interleave(lengths),
        lengths=lengths,
        reference=columns[2] if loss.kl_weight else None,
    )


def run(batch, loss, *, whole=None):
    """Loss, gradient by log p, gradient by entropy and sums of ``batch``, which may be a part of ``whole``."""
    whole = whole or batch
    flat = tensors(batch, loss)
    weight = token_weights(
        flat.lengths,
        loss.normalization,
        completions=len(whole),
        tokens=sum(len(tokens) for tokens, _ in whole),
        max_tokens=loss.max_tokens,
    )
    parts = policy_loss(flat, weight, loss)
    parts.loss.backward()
    by_entropy = torch.zeros_like(flat.entropy) if flat.entropy.grad is None else flat.entropy.grad
    return parts.loss.detach(), flat.logp.grad, by_entropy, parts.sums


@pytest.mark.parametrize(("algorithm", "extra"), CASES)
@pytest.mark.parametrize("seed", range(3))
def test_value_and_gradient_are_the_formulas(algorithm, extra, seed):
    loss, batch = replace(ALGORITHMS[algorithm], **EXTRAS[extra]), make_batch(seed)
    value, by_logp, by_entropy, _ = run(batch, loss)
    expected = oracle(batch, loss)
    places = [(i, t) for i, (tokens, _) in enumerate(batch) for t in range(len(tokens))]
    assert float(value) == pytest.approx(expected.value, abs=1e-12)
    for name, gradient in (("logp", by_logp), ("entropy", by_entropy)):
        wanted = [expected.slopes.get((name, i, t), 0.0) for i, t in places]
        assert gradient.tolist() == pytest.approx(wanted, abs=1e-12)
    assert float(by_logp.abs().max()) > 1e-3


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_on_policy_every_objective_has_the_policy_gradient(algorithm):
    loss, batch = ALGORITHMS[algorithm], make_batch(7, on_policy=True)
    _, by_logp, _, sums = run(batch, loss)
    expected = [-weight_of(loss, batch, len(tokens)) * a for tokens, a in batch for _ in tokens]
    assert by_logp.tolist() == pytest.approx(expected, abs=1e-12)
    assert float(sums["clip_ratio/low"]) == float(sums["clip_ratio/high"]) == 0


def test_sums_count_what_the_names_say():
    loss = Loss(kl_weight=0.04, correction="tis", correction_bounds=(0.0, 1.1))
    batch = make_batch(3)
    sums = run(batch, loss)[3]
    flat = [(token, advantage) for tokens, advantage in batch for token in tokens]
    assert tuple(sums) == SUMS
    assert float(sums["kl"]) == pytest.approx(sum(math.exp(t[2] - t[0]) - (t[2] - t[0]) - 1 for t, _ in flat))
    assert int(sums["clip_ratio/low"]) == sum(a < 0 and math.exp(t[0] - t[1]) < 0.8 for t, a in flat) > 0
    assert int(sums["clip_ratio/high"]) == sum(a > 0 and math.exp(t[0] - t[1]) > 1.2 for t, a in flat) > 0
    assert float(sums["entropy_exact"]) == pytest.approx(sum(t[4] for t, _ in flat))
    assert float(sums["correction"]) == pytest.approx(sum(min(1.1, math.exp(t[1] - t[3])) for t, _ in flat))
    assert int(sums["corrected"]) == sum(math.exp(t[1] - t[3]) > 1.1 for t, _ in flat) > 0


def test_the_cap_of_cispo_is_counted_for_either_sign():
    batch = [([(math.log(9.0) - 5, -5.0, 0, -5.0, 0)], a) for a in (1.0, -1.0, 0.0)]
    assert int(run(batch, ALGORITHMS["cispo"])[3]["clip_ratio/high"]) == 2


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 10**6), cut=st.integers(1, 5), extra=st.sampled_from(sorted(EXTRAS)))
def test_any_cut_into_micro_batches_adds_up(algorithm, seed, cut, extra):
    loss, batch = replace(ALGORITHMS[algorithm], **EXTRAS[extra]), make_batch(seed)
    whole, left, right = (run(part, loss, whole=batch) for part in (batch, batch[:cut], batch[cut:]))
    assert_close(left[0] + right[0], whole[0], atol=1e-12, rtol=0)
    assert torch.cat([left[1], right[1]]).equal(whole[1])
    assert torch.cat([left[2], right[2]]).equal(whole[2])
    for name in SUMS:
        assert float(left[3][name] + right[3][name]) == pytest.approx(float(whole[3][name]), abs=1e-9)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 10**6), extra=st.sampled_from(sorted(EXTRAS)))
def test_the_order_of_completions_does_not_matter(algorithm, seed, extra):
    loss, batch = replace(ALGORITHMS[algorithm], **EXTRAS[extra]), make_batch(seed)
    forwards, backwards = run(batch, loss), run(batch[::-1], loss)
    assert_close(backwards[0], forwards[0], atol=1e-12, rtol=0)
    lengths = [len(tokens) for tokens, _ in batch[::-1]]
    assert torch.cat(backwards[1].split(lengths)[::-1]).equal(forwards[1])


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 10**6))
def test_without_advantage_there_is_neither_loss_nor_gradient(algorithm, seed):
    value, by_logp, _, _ = run([(tokens, 0.0) for tokens, _ in make_batch(seed)], ALGORITHMS[algorithm])
    assert float(value) == 0
    assert not by_logp.any()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_correction_that_masks_everything_leaves_only_the_divergence(algorithm):
    batch = [([(*t[:3], t[1] - 9.0, t[4]) for t in tokens], a) for tokens, a in make_batch(4)]
    masked = replace(ALGORITHMS[algorithm], correction="icepop", correction_bounds=(0.5, 5.0), kl_weight=0.1)
    _, by_logp, _, sums = run(batch, masked)
    _, expected, _, _ = run([(tokens, 0.0) for tokens, _ in batch], replace(masked, correction="none"))
    assert by_logp.equal(expected)
    assert float(sums["correction"]) == 0
    assert int(sums["corrected"]) == sum(len(tokens) for tokens, _ in batch)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_completions_of_one_token(algorithm):
    batch = [(tokens[:1], advantage) for tokens, advantage in make_batch(5)]
    loss = ALGORITHMS[algorithm]
    assert float(run(batch, loss)[0]) == pytest.approx(oracle(batch, loss).value, abs=1e-12)


def test_the_defaults_are_the_plain_formula_bit_for_bit_in_float32():
    batch, loss = make_batch(6), Loss(kl_weight=0.05)
    flat = tensors(batch, loss, dtype=torch.float32)
    lengths = flat.lengths
    weight = token_weights(lengths, "sequence", completions=len(batch), tokens=0, max_tokens=1)
    policy_loss(flat, weight, loss).loss.backward()
    logp = flat.logp.detach().clone().requires_grad_()
    ratio = (logp - flat.old).exp()
    objective = torch.minimum(ratio * flat.advantage, ratio.clamp(0.8, 1.2) * flat.advantage)
    d = flat.reference - logp
    plain = (1.0 / (lengths.double() * len(batch))).float().repeat_interleave(lengths)
    (-(plain * (objective - 0.05 * (d.exp() - d - 1))).sum()).backward()
    assert flat.logp.grad.equal(logp.grad)


def test_the_correction_of_a_part_is_the_wholes():
    batch = make_batch(8)
    flat = tensors(batch, Loss())
    bound = sum(len(tokens) for tokens, _ in batch[:2])
    whole, _ = correction_weights(flat.old, flat.sampled, flat.lengths, "sequence_tis", 0.0, 2.0)
    part, _ = correction_weights(flat.old[:bound], flat.sampled[:bound], flat.lengths[:2], "sequence_tis", 0.0, 2.0)
    assert part.equal(whole[:bound])


def test_the_decoupled_objective_by_hand():
    """Three policies on two tokens with advantage 1: mu has sampled, pi_old began the step, pi is being trained.

    The clip looks at pi / pi_old (1.5, clipped to 1.2; and 1.1), the correction at pi_old / mu (3, truncated to 2; and 0.5):
    S = (2 x 1.2, 0.5 x 1.1). The clipped token has no gradient, the other's is 0.5 x 1.1.
    """
    mu, old, now = [0.1, 0.4], [0.3, 0.2], [0.45, 0.22]
    logp = torch.tensor(now, dtype=torch.float64).log().requires_grad_()
    tokens = Tokens(
        logp=logp,
        entropy=torch.zeros(2, dtype=torch.float64),
        old=torch.tensor(old, dtype=torch.float64).log(),
        sampled=torch.tensor(mu, dtype=torch.float64).log(),
        advantage=torch.ones(2, dtype=torch.float64),
        lengths=torch.tensor([2]),
    )
    weight = torch.tensor([0.5, 0.5], dtype=torch.float64)
    parts = policy_loss(tokens, weight, Loss(correction="tis", correction_bounds=(0.0, 2.0)))
    (gradient,) = torch.autograd.grad(parts.loss, logp)
    assert parts.loss.item() == pytest.approx(-0.5 * (2 * 1.2 + 0.5 * 1.1), rel=1e-12)
    assert gradient.tolist() == pytest.approx([0.0, -0.5 * 0.5 * 1.1], rel=1e-12)
    assert {name: float(parts.sums[name]) for name in ("correction", "corrected", "clip_ratio/high")} == pytest.approx(
        {"correction": 2.5, "corrected": 1.0, "clip_ratio/high": 1.0}
    )
