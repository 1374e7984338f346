"""Next-token loss against a loop over plain forward passes."""

import random

import pytest
import torch
from torch.testing import assert_close

from r1flow.components.training.sft.example import Example
from r1flow.components.training.sft.loss import summed_nll
from tests.fakes.tiny import plain_logprobs, tiny_model


@pytest.fixture(scope="module")
def model():
    return tiny_model()


def make_examples(num=8):
    rng = random.Random(1)
    examples = []
    for i in range(num):
        ids = tuple(rng.randrange(2, 40) for _ in range(rng.randint(2, 15)))
        examples.append(Example(ids, 0 if i % 3 == 0 else rng.randint(1, len(ids) - 1)))
    return examples


def oracle(model, example):
    context = max(1, example.num_context)
    return -sum(plain_logprobs(model, example.ids[:context], example.ids[context:]))


def gradient(model, examples, **settings):
    (summed_nll(model, examples, **({"pad_id": 0} | settings))).backward()
    flat = torch.cat([p.grad.flatten() for p in model.parameters()])
    model.zero_grad(set_to_none=True)
    return flat


def test_it_is_the_sum_over_trained_tokens_of_minus_log_p(model):
    examples = make_examples()
    expected = sum(oracle(model, e) for e in examples)
    assert summed_nll(model, examples, pad_id=0).item() == pytest.approx(expected, rel=1e-5)


def test_context_is_read_but_not_trained_on(model):
    ids = (5, 9, 11, 3, 20)
    last_only = summed_nll(model, [Example(ids, 4)], pad_id=0).item()
    assert last_only == pytest.approx(-plain_logprobs(model, ids[:4], ids[4:])[0], abs=1e-5)
    assert last_only != pytest.approx(summed_nll(model, [Example((7, *ids[1:]), 4)], pad_id=0).item(), abs=1e-5)


def test_without_context_the_first_token_alone_is_not_predicted(model):
    ids = (5, 9, 11)
    assert Example(ids, 0).num_trained == Example(ids, 1).num_trained == 2
    found = [summed_nll(model, [Example(ids, n)], pad_id=0).item() for n in (0, 1)]
    assert found[0] == found[1] == pytest.approx(oracle(model, Example(ids, 0)), abs=1e-5)


def test_an_example_that_is_all_context_trains_nothing(model):
    whole = Example((5, 9, 11), 3)
    assert whole.num_trained == Example((5, 9, 11), 7).num_trained == 0
    assert summed_nll(model, [whole], pad_id=0).item() == 0
    other = Example((4, 8), 1)
    assert_close(gradient(model, [whole, other]), gradient(model, [other]), atol=1e-6, rtol=0)


def test_losses_and_gradients_of_parts_add_up_to_the_whole(model):
    examples = make_examples()
    whole = gradient(model, examples)
    parts = sum(gradient(model, [e]) for e in examples)
    assert_close(parts, whole, atol=2e-5, rtol=1e-5)
    assert float(whole.abs().max()) > 1


def test_padding_has_no_part_in_it(model):
    examples = make_examples()
    assert_close(gradient(model, examples, pad_id=17), gradient(model, examples), atol=2e-5, rtol=1e-5)
