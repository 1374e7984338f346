"""The engine is torch's AdamW with clipping, and a guard against gradients that are no numbers."""

import math

import pytest
import torch
from torch.testing import assert_close

from r1flow.components.core.errors import NumericsError
from r1flow.components.training.engines.single import SingleEngine


def make_model():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))


def loss_of(model, step):
    x = torch.randn(16, 4, generator=torch.Generator().manual_seed(step))
    return (model(x) - x.sum(-1, keepdim=True)).square().mean()


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_steps_equal_torchs_adamw_with_clipping_and_the_steps_own_rate():
    model, plain = make_model(), make_model()
    engine = SingleEngine(model, lambda step: 0.1 / (step + 1), weight_decay=0.1, max_grad_norm=0.5)
    optimizer = torch.optim.AdamW(plain.parameters(), lr=1.0, betas=(0.9, 0.95), weight_decay=0.1, foreach=False)
    for step in range(5):
        engine.backward(loss_of(model, step))
        outcome = engine.step()
        optimizer.zero_grad()
        loss_of(plain, step).backward()
        norm = torch.nn.utils.clip_grad_norm_(plain.parameters(), 0.5)
        optimizer.param_groups[0]["lr"] = 0.1 / (step + 1)
        optimizer.step()
        assert outcome.grad_norm == pytest.approx(float(norm), rel=1e-5)
        assert (outcome.learning_rate, outcome.applied) == (0.1 / (step + 1), True)
    assert_close(weights(model), weights(plain), atol=1e-6, rtol=0)


def test_the_first_step_by_hand():
    model = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(model.weight, 2.0)
    engine = SingleEngine(model, lambda step: 0.1, weight_decay=0.5, max_grad_norm=100.0)
    engine.backward(3 * model.weight.sum())
    engine.step()
    # decay: 2 (1 - 0.1 * 0.5) = 1.9; first moment over root of second, bias-corrected, is the gradient's sign
    assert float(model.weight.detach()) == pytest.approx(1.9 - 0.1, abs=1e-6)


def test_gradients_add_up_until_the_step_and_are_gone_after_it():
    one, other = make_model(), make_model()
    whole, parts = (SingleEngine(m, lambda step: 0.1) for m in (one, other))
    whole.backward(loss_of(one, 0) + loss_of(one, 1))
    parts.backward(loss_of(other, 0))
    parts.backward(loss_of(other, 1))
    assert whole.step().grad_norm == pytest.approx(parts.step().grad_norm, rel=1e-6)
    assert_close(weights(one), weights(other), atol=1e-6, rtol=0)
    assert all(p.grad is None for p in one.parameters())


def test_frozen_parameters_stay_as_they_are():
    model = make_model()
    model[0].requires_grad_(False)
    before = model[0].weight.clone()
    engine = SingleEngine(model, lambda step: 0.1, weight_decay=0.5)
    engine.backward(loss_of(model, 0))
    engine.step()
    assert torch.equal(model[0].weight, before)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_gradient_that_is_no_number_is_thrown_away(bad):
    model = make_model()
    engine = SingleEngine(model, lambda step: 0.1)
    before = weights(model)
    engine.backward(loss_of(model, 0) * bad)
    outcome = engine.step()
    assert not outcome.applied
    assert not math.isfinite(outcome.grad_norm)
    assert torch.equal(weights(model), before)
    assert engine.steps_taken == 1
    engine.backward(loss_of(model, 1))
    assert engine.step().applied
    assert torch.isfinite(weights(model)).all()


def test_too_many_bad_gradients_in_a_row_end_the_run():
    model = make_model()
    engine = SingleEngine(model, lambda step: 0.1, max_skipped=2)

    def step(factor):
        engine.backward(loss_of(model, 0) * factor)
        return engine.step().applied

    assert [step(f) for f in (math.nan, math.nan, 1.0, math.nan, math.inf)] == [False, False, True, False, False]
    with pytest.raises(NumericsError, match=r"3 gradients in a row were not finite .* optimizer step 6"):
        step(math.nan)
