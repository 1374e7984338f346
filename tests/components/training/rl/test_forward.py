"""Packed and padded rollouts give the same log-probabilities and gradients, and a fixed rule chooses between them."""

import random

import pytest
import torch
from torch.testing import assert_close

import r1flow.components.training.rl.forward as module
from r1flow.components.core.attention import NAMES, open_attention
from r1flow.components.training.rl.forward import completion_logprobs, packing_pays
from tests.fakes.tiny import PAD, grouped_query_model, in_float64, make_rollout, plain_logprobs, tiny_model


def make_rollouts(prompts=((4, 5, 6), (7, 8, 9, 10, 11, 12, 13), (14,)), samples=4, longest=9, shortest=1):
    rng = random.Random(3)
    return [
        make_rollout(prompt, [rng.randrange(2, 40) for _ in range(rng.randint(shortest, longest))])
        for _ in range(samples)
        for prompt in prompts
    ]


def results(model, rollouts, packed):
    model.zero_grad()
    logp, entropy = completion_logprobs(model, rollouts, pad_id=PAD, temperature=0.9, packed=packed)
    (logp * torch.linspace(-1, 2, len(logp)).to(logp) + 0.1 * entropy).sum().backward()
    return logp.detach(), entropy.detach(), torch.cat([p.grad.flatten() for p in model.parameters()])


@pytest.mark.parametrize("build", [tiny_model, grouped_query_model])
@pytest.mark.parametrize("shape", [{}, {"prompts": ((4, 5, 6),)}, {"longest": 1}, {"shortest": 9}, {"samples": 1}])
def test_both_forms_agree_to_twelve_digits_in_float64(build, shape):
    model, rollouts = in_float64(build()), make_rollouts(**shape)
    padded, packed = (results(model, rollouts, form) for form in (False, True))
    for one, other in zip(packed[:2], padded[:2], strict=True):
        assert_close(one, other, atol=1e-12, rtol=1e-12)
    assert (packed[2] - padded[2]).norm() / padded[2].norm() <= 1e-12


def test_both_forms_agree_in_float32():
    model, rollouts = tiny_model(), make_rollouts()
    padded, packed = (results(model, rollouts, form) for form in (False, True))
    assert_close(packed[0], padded[0], atol=1e-5, rtol=0)
    assert (packed[2] - padded[2]).norm() / padded[2].norm() <= 1e-5


@torch.no_grad()
def test_values_come_in_the_order_of_the_rollouts():
    model, rollouts = tiny_model(), make_rollouts()
    found, _ = completion_logprobs(model, rollouts, pad_id=PAD, temperature=1.0, packed=True)
    expected = [p for r in rollouts for p in plain_logprobs(model, r.prompt_ids, r.ids)]
    assert found.tolist() == pytest.approx(expected, abs=1e-4)


def test_layers_that_are_computed_again_in_the_backward_pass_attend_as_before():
    model, rollouts = tiny_model(), make_rollouts()
    usual = results(model, rollouts, True)
    model.train()
    model.gradient_checkpointing_enable()
    for one, other in zip(results(model, rollouts, True), usual, strict=True):
        assert_close(one, other, atol=1e-6, rtol=1e-5)


def test_the_rule_looks_at_lengths_and_prompts_alone():
    assert packing_pays(make_rollouts(prompts=((2,) * 30,), samples=4))
    assert not packing_pays(make_rollouts(prompts=((2,) * 30, (3,) * 30), samples=1, shortest=8))
    assert packing_pays([make_rollout((2,), (3,) * n) for n in (2, 30)])


def test_an_unproven_architecture_is_padded(monkeypatch):
    model, rollouts = tiny_model(), make_rollouts()
    expected = results(model, rollouts, False)
    monkeypatch.setattr(module, "packed_hidden", None)
    model.config.layer_types = ["full_attention", "chunked_attention"]
    assert not open_attention(model)
    model.config.layer_types = ["full_attention"] * 2
    model.config.model_type = "other"
    for one, other in zip(results(model, rollouts, True), expected, strict=True):
        assert torch.equal(one, other)


def test_an_opened_model_attends_as_before_to_the_bit_and_is_saved_without_a_trace(tmp_path):
    model, rollouts = tiny_model(), make_rollouts()
    before = results(model, rollouts, False)
    assert open_attention(model)
    for one, other in zip(results(model, rollouts, False), before, strict=True):
        assert torch.equal(one, other)
    model.save_pretrained(tmp_path)
    assert not any(name in (tmp_path / "config.json").read_text() for name in NAMES.values())
