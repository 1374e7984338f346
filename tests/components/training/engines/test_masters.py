"""A bfloat16 model is stepped through float32 masters: no small update is lost, and a stopped run goes on with the same bits."""

import pytest
import torch
from torch.testing import assert_close

from r1flow.components.sampling.digest import tensors_digest
from r1flow.components.training.engines.masters import masters, publish
from r1flow.components.training.engines.single import SingleEngine
from r1flow.components.training.engines.state import load_state, save_state
from tests.fakes.tiny import tiny_model

RATE = 1e-5


def backward(engine, model, step):
    torch.manual_seed(step)
    ids = torch.randint(2, 40, (2, 7))
    engine.backward(model(input_ids=ids, labels=ids).loss)


def walk(engine, model, steps):
    for step in steps:
        backward(engine, model, step)
        engine.step()


def everything(engine):
    tensors = engine.master_parameters() | engine.optimizer_tensors()
    return tensors_digest(tensors.items()), tensors_digest(engine.full_parameters())


def bfloat16_engine(seed=0, **options):
    model = tiny_model(seed).bfloat16()
    return SingleEngine(model, lambda step: RATE, **options), model


def test_float32_parameters_are_their_own_masters():
    parameters = list(tiny_model().parameters())
    assert all(a is b for a, b in zip(masters(parameters), parameters, strict=True))


def test_masters_are_what_torchs_adamw_makes_of_the_same_gradients_in_float32():
    engine, model = bfloat16_engine(weight_decay=0.1, max_grad_norm=1e9)
    plain = {name: p.detach().float() for name, p in model.named_parameters()}
    optimizer = torch.optim.AdamW(plain.values(), lr=RATE, betas=(0.9, 0.95), weight_decay=0.1, foreach=False)
    seen = {}
    for name, parameter in model.named_parameters():
        parameter.register_hook(lambda grad, name=name: seen.update({name: grad.float()}))
    for step in range(4):
        backward(engine, model, step)
        engine.step()
        for name, tensor in plain.items():
            tensor.grad = seen[name]
        optimizer.step()
    for name, tensor in engine.master_parameters().items():
        assert_close(tensor, plain[name], atol=1e-7, rtol=0)
        assert torch.equal(model.get_parameter(name), tensor.bfloat16())


def test_an_update_too_small_for_bfloat16_adds_up_in_the_master():
    model = torch.nn.Linear(1, 1, bias=False).bfloat16()
    torch.nn.init.constant_(model.weight, 1.0)
    engine = SingleEngine(model, lambda step: 1e-3)
    for _ in range(8):  # each moves the weight by the rate; beside 1, bfloat16 knows 1 - 1/256 = 0.99609375 next
        engine.backward(model.weight.sum())
        engine.step()
    assert float(engine.master_parameters()["weight"]) == pytest.approx(0.992, abs=1e-6)
    assert model.weight.tolist() == [[0.9921875]]


def test_gradients_of_micro_batches_are_summed_in_float32():
    model = torch.nn.Linear(1, 1, bias=False).bfloat16()
    engine = SingleEngine(model, lambda step: 0.0, max_grad_norm=1e9)
    engine.backward(256 * model.weight.sum())
    for _ in range(3):  # bfloat16 would stay at 256
        engine.backward(model.weight.sum())
    assert model.weight.grad is None
    assert engine.step().grad_norm == 259


@pytest.mark.parametrize("offload", [False, True])
def test_a_stopped_run_goes_on_with_the_same_bits(offload, tmp_path):
    whole, whole_model = bfloat16_engine()
    walk(whole, whole_model, range(4))
    first, first_model = bfloat16_engine(offload=offload)
    walk(first, first_model, range(2))
    save_state(tmp_path, first)
    second, second_model = bfloat16_engine(seed=9, offload=offload)
    load_state(tmp_path, second)
    walk(second, second_model, range(2, 4))
    assert everything(second) == everything(whole)


def test_a_gradient_that_is_no_number_leaves_masters_and_model_alone():
    engine, model = bfloat16_engine()
    before = tensors_digest(engine.master_parameters().items())
    engine.backward(model(input_ids=torch.tensor([[3, 4]])).logits.sum() * float("nan"))
    assert not engine.step().applied
    assert tensors_digest(engine.master_parameters().items()) == before
    backward(engine, model, 1)
    assert engine.step().applied


def test_frozen_parameters_are_saved_and_loaded_with_the_rest():
    def half_frozen():
        model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 1)).bfloat16()
        model[0].requires_grad_(False)
        return SingleEngine(model, lambda step: 0.1)

    one, other = half_frozen(), half_frozen()
    other.load_weights(one.master_parameters())
    assert tensors_digest(other.model.named_parameters()) == tensors_digest(one.model.named_parameters())
    assert {name: t.dtype for name, t in one.master_parameters().items()} == {
        "0.weight": torch.bfloat16,
        "0.bias": torch.bfloat16,
        "1.weight": torch.float32,
        "1.bias": torch.float32,
    }


def test_published_values_are_rounded_to_nearest():
    parameter = torch.nn.Parameter(torch.zeros(2, dtype=torch.bfloat16))
    [master] = masters([parameter])
    master.copy_(torch.tensor([1 + 3 / 512, 1 + 1 / 1024]))
    publish([master], [parameter])
    assert parameter.tolist() == [1 + 1 / 128, 1.0]
