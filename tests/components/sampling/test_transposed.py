"""Weights laid out for few rows: the same model in the block, its own tensors behind it, and nothing for small batches."""

import pytest
import torch
from torch.testing import assert_close

from r1flow.components.sampling import transposed as module
from r1flow.components.sampling.base import Request, Sampling
from r1flow.components.sampling.transformers import TransformersSampler
from r1flow.components.sampling.transposed import transposed, weights_of
from tests.fakes.tiny import EOS, PAD, tiny_model


@pytest.fixture
def any_size(monkeypatch):
    monkeypatch.setattr(module, "LEAST_NUMBERS", 0)
    monkeypatch.setattr(module, "LEAST_TOKENS", 8)


@pytest.mark.usefixtures("any_size")
@pytest.mark.parametrize("inference", [True, False])
def test_in_the_block_weights_lie_transposed_and_behind_it_they_are_what_they_were(inference):
    model = tiny_model()
    before = {name: (p.data_ptr(), p.detach().clone()) for name, p in model.named_parameters()}
    ids = torch.arange(2, 12)[None]
    with torch.inference_mode(inference):
        plain = model(ids).logits
        with transposed(model, rows=4, steps=2):
            inside = model(ids).logits
            assert all(p.T.is_contiguous() for p in weights_of_linear(model))
            assert model.get_output_embeddings().weight.is_contiguous()
    assert_close(inside, plain, atol=1e-6, rtol=0)
    for name, p in model.named_parameters():
        assert p.data_ptr() == before[name][0]
        assert torch.equal(p, before[name][1])
        assert not p.is_inference()
    model(ids).logits.sum().backward()  # what was served still trains
    assert all(p.grad is not None for p in model.parameters())


def weights_of_linear(model):
    head = model.get_output_embeddings()
    return [m.weight for m in model.modules() if isinstance(m, torch.nn.Linear) and m is not head]


@pytest.mark.usefixtures("any_size")
def test_an_error_in_the_block_leaves_the_model_as_it_was():
    model = tiny_model()
    with pytest.raises(RuntimeError, match="stop"), transposed(model, rows=4, steps=2):
        raise RuntimeError("stop")
    assert all(p.is_contiguous() for p in model.parameters())


def test_a_small_model_and_a_short_batch_are_left_alone(monkeypatch):
    model = tiny_model()
    with transposed(model, rows=512, steps=64):
        assert len(weights_of(model)) == len(weights_of_linear(model))  # contiguous, all of them
    monkeypatch.setattr(module, "LEAST_NUMBERS", 0)
    with transposed(model, rows=1, steps=64):
        assert len(weights_of(model)) == len(weights_of_linear(model))


def test_a_sampler_draws_the_same_tokens_from_it(monkeypatch):
    model = tiny_model()
    requests = [Request((3 + i, 5, 7), seed=i) for i in range(8)]

    def drawn():
        return TransformersSampler(model, eos_id=EOS, pad_id=PAD).generate(requests, Sampling(max_tokens=12))

    plain = drawn()
    monkeypatch.setattr(module, "LEAST_NUMBERS", 0)
    monkeypatch.setattr(module, "LEAST_TOKENS", 8)
    laid_out = drawn()
    assert [c.ids for c in laid_out] == [c.ids for c in plain]
    for one, other in zip(laid_out, plain, strict=True):
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-5)
