"""From rollouts to a gradient: right against plain loops, and the same for every cut and every padding."""

import math
import random
from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from r1flow.components.training.rl.forward import completion_logprobs
from r1flow.components.training.rl.frozen import frozen_logprobs, on
from r1flow.components.training.rl.loss import Loss
from r1flow.components.training.rl.update import Trained, split_at_random, update_policy
from tests.fakes.tiny import EOS, LookingEngine, make_rollout, plain_logprobs, tiny_model

SETTINGS = {"loss": Loss(kl_weight=0.05), "pad_id": 0, "temperature": 0.9, "micro_tokens": 10**6}
OBJECTIVES = {
    "grpo": Loss(kl_weight=0.05),
    "dr_grpo": Loss(normalization="constant", max_tokens=14),
    "dapo": Loss(normalization="token", clip_high=0.28, entropy_weight=0.01),
    "gspo": Loss(ratio="sequence", clip_low=0.03, clip_high=0.04),
    "cispo": Loss(surrogate="cispo", normalization="token", clip_low=1.0, clip_high=4.0),
    "corrected": Loss(correction="sequence_mask", correction_bounds=(0.5, 3.0), dual_clip=3.0),
}


@pytest.fixture(scope="module")
def model():
    return tiny_model()


def make_batch(model, num=9, *, off_policy=True):
    """Completions of 1 to 14 tokens, with log-probabilities of an older policy and of a reference."""
    rng = random.Random(5)
    batch = []
    for i in range(num):
        prompt = [rng.randrange(2, 40) for _ in range(rng.randint(1, 6))]
        ids = [rng.randrange(2, 40) for _ in range(i % 5 * 3)] + [EOS]
        logprobs = plain_logprobs(model, prompt, ids, temperature=0.9)
        moved = [torch.tensor([p + rng.gauss(0, 0.3) for p in logprobs]) for _ in range(2)]
        rollout = make_rollout(prompt, ids, logprobs=logprobs, prompt_id=str(i))
        batch.append(Trained(rollout, rng.gauss(0, 1), *(moved if off_policy else (None, moved[1]))))
    return batch


def gradient(model, batch, **changed):
    engine = LookingEngine(model)
    metrics = update_policy(engine, batch, **(SETTINGS | changed))
    return engine.gradients[0], metrics, engine.backwards


def test_log_probabilities_are_those_of_a_plain_forward_pass(model):
    rollouts = [t.rollout for t in make_batch(model)]
    logp, entropy = completion_logprobs(model, rollouts, pad_id=0, temperature=0.9)
    expected = [p for r in rollouts for p in r.logprobs]
    assert_close(logp.detach(), torch.tensor(expected), atol=1e-5, rtol=0)
    assert entropy.shape == logp.shape
    assert (entropy > 0).all()


def test_frozen_log_probabilities_keep_their_order_and_carry_no_gradient(model):
    rollouts = [t.rollout for t in make_batch(model)]
    found = frozen_logprobs(on(model), rollouts, pad_id=0, temperature=0.9, micro_tokens=30)
    for rollout, logp in zip(rollouts, found, strict=True):
        assert_close(logp, torch.tensor(rollout.logprobs), atol=1e-5, rtol=0)
        assert not logp.requires_grad


def test_loss_and_metrics_are_those_of_plain_loops(model):
    batch = make_batch(model)
    _, metrics, _ = gradient(model, batch)
    total = kl = low = high = 0.0
    for t in batch:
        inner = 0.0
        for p, o, r in zip(t.rollout.logprobs, t.old_logprobs.tolist(), t.ref_logprobs.tolist(), strict=True):
            rho, divergence = math.exp(p - o), math.exp(r - p) - (r - p) - 1
            clipped = min(max(rho, 0.8), 1.2)
            inner += min(rho * t.advantage, clipped * t.advantage) - 0.05 * divergence
            kl += divergence
            low += t.advantage < 0 and rho < 0.8
            high += t.advantage > 0 and rho > 1.2
        total -= inner / len(t.rollout.ids) / len(batch)
    tokens = sum(len(t.rollout.ids) for t in batch)
    assert metrics["loss"] == pytest.approx(total, abs=1e-5)
    assert metrics["kl"] == pytest.approx(kl / tokens, abs=1e-5)
    assert metrics["clip_ratio/low"] == pytest.approx(low / tokens)
    assert metrics["clip_ratio/high"] == pytest.approx(high / tokens)
    assert low > 0
    assert high > 0


@pytest.mark.parametrize("micro_tokens", [1, 25, 60])
@pytest.mark.parametrize("off_policy", [True, False])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_any_cut_into_micro_batches_gives_the_same_gradient(model, objective, micro_tokens, off_policy):
    loss, batch = OBJECTIVES[objective], make_batch(model, off_policy=off_policy)
    if not loss.kl_weight:
        batch = [replace(t, ref_logprobs=None) for t in batch]
    whole, metrics, backwards = gradient(model, batch, loss=loss)
    cut, cut_metrics, cut_backwards = gradient(model, batch, loss=loss, micro_tokens=micro_tokens)
    assert backwards == 1 < cut_backwards
    assert_close(cut, whole, atol=1e-6, rtol=0)
    assert float(whole.abs().max()) > 1e-3
    assert cut_metrics == pytest.approx(metrics, abs=1e-5)


def test_any_order_of_completions_gives_the_same_gradient(model):
    batch = make_batch(model)
    assert_close(gradient(model, batch[::-1])[0], gradient(model, batch)[0], atol=1e-6, rtol=0)


def test_padding_has_no_part_in_the_gradient(model):
    batch = make_batch(model)
    assert_close(gradient(model, batch, pad_id=17)[0], gradient(model, batch)[0], atol=1e-6, rtol=0)


def test_a_long_neighbour_without_advantage_changes_only_the_denominator(model):
    batch = [Trained(t.rollout, t.advantage) for t in make_batch(model)]
    neighbour = Trained(make_rollout([5], range(2, 40)), 0.0)
    with_it, without = gradient(model, [*batch, neighbour])[0], gradient(model, batch)[0]
    assert_close(with_it * 10 / 9, without, atol=1e-6, rtol=0)


def test_completions_without_advantage_are_counted_but_not_computed(model):
    batch = [Trained(t.rollout, t.advantage) for t in make_batch(model)]
    idle = [Trained(t.rollout, 0.0) for t in batch]
    found, _, backwards = gradient(model, [*batch, *idle], micro_tokens=1)
    assert backwards == len(batch)
    assert_close(found * 2, gradient(model, batch)[0], atol=1e-6, rtol=0)
    nothing, metrics, backwards = gradient(model, idle)
    assert backwards == 1  # a gradient of zeros, by which AdamW's moments decay
    assert not nothing.any()
    assert metrics["loss"] == metrics["grad_norm"] == 0


def test_with_a_reference_even_completions_without_advantage_are_pulled_towards_it(model):
    idle = [Trained(t.rollout, 0.0, ref_logprobs=t.ref_logprobs) for t in make_batch(model)]
    assert float(gradient(model, idle)[0].abs().max()) > 1e-3


def test_on_policy_it_is_the_policy_gradient(model):
    batch = [Trained(t.rollout, t.advantage) for t in make_batch(model)]
    found = gradient(model, batch, loss=Loss())[0]
    loss = torch.zeros(())
    for t in batch:
        ids = torch.tensor([[*t.rollout.prompt_ids, *t.rollout.ids]])
        table = (model(input_ids=ids).logits[0] / 0.9).log_softmax(-1)
        first = len(t.rollout.prompt_ids) - 1
        spoken = sum(table[first + i, token] for i, token in enumerate(t.rollout.ids))
        loss = loss - t.advantage * spoken / len(t.rollout.ids) / len(batch)
    loss.backward()
    expected = torch.cat([p.grad.flatten() for p in model.parameters()])
    model.zero_grad(set_to_none=True)
    assert_close(found, expected, atol=1e-6, rtol=0)


def with_sampler(batch, move):
    """The same completions, with sampler's log-probabilities that are ``move``d."""
    return [replace(t, rollout=replace(t.rollout, logprobs=tuple(map(move, t.rollout.logprobs)))) for t in batch]


def test_mismatch_sees_a_sampler_that_serves_other_weights_and_one_that_serves_nonsense(model):
    batch = [Trained(t.rollout, t.advantage) for t in make_batch(model, 3)]
    _, agreed, _ = gradient(model, batch)
    assert agreed["mismatch"] < 1e-4
    stale = gradient(model, with_sampler(batch, lambda p: p - 0.7))[1]
    assert stale["mismatch"] == pytest.approx(0.7, abs=1e-4)
    assert stale["mismatch_mean"] == pytest.approx(0.7, abs=1e-4)
    broken = Trained(make_rollout([5], [7, EOS], logprobs=[math.nan, -1.0]), 1.0)
    assert gradient(model, [broken, *batch])[1]["mismatch"] == math.inf


def test_off_policy_the_sampler_is_compared_with_the_policy_that_sampled(model):
    batch = [replace(t, old_logprobs=torch.tensor(t.rollout.logprobs) + 0.4) for t in make_batch(model, 3)]
    assert gradient(model, with_sampler(batch, lambda p: p + 0.4))[1]["mismatch"] < 1e-5


def test_a_correction_multiplies_the_gradient_and_is_reported(model):
    batch = [Trained(t.rollout, t.advantage) for t in make_batch(model)]
    plain, metrics, _ = gradient(model, batch, loss=Loss())
    assert metrics["correction"] == 1
    moved = with_sampler(batch, lambda p: p - math.log(1.5))
    found, metrics, _ = gradient(model, moved, loss=Loss(correction="tis", correction_bounds=(0.0, 2.0)))
    assert_close(found, plain * 1.5, atol=1e-5, rtol=0)
    assert metrics["correction"] == pytest.approx(1.5, abs=1e-4)
    assert metrics["corrected"] == 0
    found, metrics, _ = gradient(model, moved, loss=Loss(correction="icepop", correction_bounds=(0.5, 1.2)))
    assert not found.any()
    assert metrics["corrected"] == 1


def test_an_entropy_bonus_makes_the_policy_less_sure_even_where_no_advantage_is(model):
    idle = [Trained(t.rollout, 0.0) for t in make_batch(model)]
    loss = Loss(entropy_weight=1.0, normalization="token")
    found, metrics, _ = gradient(model, idle, loss=loss)
    _, entropy = completion_logprobs(model, [t.rollout for t in idle], pad_id=0, temperature=0.9)
    (-entropy.mean()).backward()
    expected = torch.cat([p.grad.flatten() for p in model.parameters()])
    model.zero_grad(set_to_none=True)
    assert_close(found, expected, atol=1e-6, rtol=0)
    assert metrics["entropy_exact"] == pytest.approx(float(entropy.detach().mean()), abs=1e-5)
    assert metrics["loss"] == pytest.approx(-metrics["entropy_exact"], abs=1e-5)


def test_an_empty_batch_steps_without_a_gradient_and_has_every_metric(model):
    found, metrics, backwards = gradient(model, [])
    assert backwards == 0
    assert not found.any()
    assert set(metrics) == set(gradient(model, make_batch(model, 2))[1])
    assert all(math.isfinite(value) for value in metrics.values())


def test_mini_batches_share_out_the_batch_at_random_but_repeatably(model):
    batch = make_batch(model)
    assert split_at_random(batch, 1, seed=0) == [batch]
    parts = split_at_random(batch, 4, seed=0)
    assert [len(p) for p in parts] == [2, 2, 3, 2]
    assert sorted(t.rollout.prompt_id for p in parts for t in p) == [str(i) for i in range(9)]
    assert parts == split_at_random(batch, 4, seed=0) != split_at_random(batch, 4, seed=1)
