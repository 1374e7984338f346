"""The supervised loop: order, normalisation, micro-batches, going on after a stop."""

import random
from collections import Counter

import pytest
from torch.testing import assert_close

from r1flow.components.training.engines.single import SingleEngine
from r1flow.components.training.sft.example import Example
from r1flow.components.training.sft.trainer import epoch_batches, train
from tests.fakes.tiny import LookingEngine, plain_logprobs, tiny_model

EXAMPLES = [Example((2 + i, 3, 4 + i % 7), 1) for i in range(23)]


def make_batch(num=10):
    rng = random.Random(2)
    return [Example(tuple(rng.randrange(2, 40) for _ in range(rng.randint(3, 20))), 2) for _ in range(num)]


def test_every_example_comes_once_an_epoch_and_the_last_batch_may_be_short():
    batches = list(epoch_batches(EXAMPLES, 5, 3, seed=0))
    assert [len(b) for b in batches] == [5, 5, 5, 5, 3] * 3
    for epoch in range(3):
        seen = [e for batch in batches[5 * epoch : 5 * epoch + 5] for e in batch]
        assert Counter(seen) == Counter(EXAMPLES)


def test_the_order_is_a_function_of_seed_and_epoch():
    batches = list(epoch_batches(EXAMPLES, 5, 2, seed=0))
    assert batches == list(epoch_batches(EXAMPLES, 5, 2, seed=0))
    assert batches[:5] == list(epoch_batches(EXAMPLES, 5, 1, seed=0))
    assert batches[0] != batches[5]
    assert batches != list(epoch_batches(EXAMPLES, 5, 2, seed=1))


@pytest.mark.parametrize("packed", [False, True])
def test_the_loss_is_the_mean_over_the_whole_batchs_trained_tokens(packed):
    model, batch, rows = tiny_model(), make_batch(), {}
    train(LookingEngine(model), model, [batch], pad_id=0, micro_tokens=40, packed=packed, on_step=rows.__setitem__)
    tokens = sum(len(e.ids) - 2 for e in batch)
    nll = -sum(sum(plain_logprobs(model, e.ids[:2], e.ids[2:])) for e in batch)
    assert rows[1]["loss"] == pytest.approx(nll / tokens, rel=1e-5)
    assert rows[1]["tokens"] == tokens


@pytest.mark.parametrize("micro_tokens", [1, 40, 100])
@pytest.mark.parametrize("form", [False, True])
def test_neither_micro_batches_nor_packing_change_anything(micro_tokens, form):
    gradients, losses = [], []
    for limit, packed in ((10**6, False), (micro_tokens, form)):
        model, rows = tiny_model(), {}
        engine = LookingEngine(model)
        train(engine, model, [make_batch()], pad_id=0, micro_tokens=limit, packed=packed, on_step=rows.__setitem__)
        gradients.append(engine.gradients[0])
        losses.append(rows[1]["loss"])
    assert_close(gradients[1], gradients[0], atol=1e-6, rtol=0)
    assert losses[1] == pytest.approx(losses[0], abs=1e-6)
    assert engine.backwards > 1


def test_steps_already_taken_are_skipped_and_keep_their_numbers():
    model, rows = tiny_model(), {}
    engine = LookingEngine(model)
    engine.steps_taken = 2
    train(
        engine,
        model,
        [[], [], make_batch(), make_batch(4)],
        pad_id=0,
        micro_tokens=10**6,
        packed=True,
        on_step=rows.__setitem__,
    )
    assert list(rows) == [3, 4]


def test_an_architecture_that_has_not_been_opened_is_padded():
    gradients = []
    for model_type in ("qwen3", "other"):
        model = tiny_model()
        model.config.model_type = model_type
        engine = LookingEngine(model)
        train(engine, model, [make_batch()], pad_id=0, micro_tokens=60, packed=True, on_step=lambda *_: None)
        gradients.append(engine.gradients[0])
    assert_close(gradients[1], gradients[0], atol=1e-6, rtol=0)
    assert model.config._attn_implementation == "sdpa"


def test_training_lowers_the_loss():
    model, rows = tiny_model(), {}
    engine = SingleEngine(model, lambda step: 1e-2)
    train(
        engine,
        model,
        epoch_batches(EXAMPLES, 23, 20, 0),
        pad_id=0,
        micro_tokens=10**6,
        packed=True,
        on_step=rows.__setitem__,
    )
    assert rows[20]["loss"] < 0.5 * rows[1]["loss"]
    assert set(rows[1]) == {"loss", "grad_norm", "learning_rate", "tokens", "time/step_s", "time/tokens_per_s"}
