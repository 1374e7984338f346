"""Memory of a rank: golden values worked out by hand, what autograd really keeps, and the constants that other modules own."""

import pytest
import torch
from transformers import Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM

from r1flow.components.core import allocator, logits
from r1flow.components.costs import memory
from r1flow.components.costs.decoder import Decoder, decoder_of
from r1flow.components.costs.memory import Batch, Layout, parts, states
from r1flow.components.recipe.models import ModelShape
from r1flow.components.sampling.transformers import TransformersSampler
from r1flow.components.training.rl import forward
from tests.fakes.tiny import make_rollout

PLAIN = Decoder(
    parameters=1000, value=900, body=600, vocabulary=50, hidden=8, intermediate=20, layers=2, queries=8, keys=4, cached=8,
    head_norms=False,
)  # fmt: skip


@pytest.mark.parametrize(
    ("layout", "weights", "gradients", "optimizer"),
    [
        (Layout(), 4000, 4000, 8000),
        (Layout(bytes=2), 2000, 4000, 12000),
        (Layout(bytes=2, offload="optimizer"), 2000, 0, 0),
        (Layout(bytes=4, ranks=4, zero=0), 4000, 4000, 8000),
        (Layout(bytes=2, ranks=4, zero=1), 2000, 4000, 3000),
        (Layout(bytes=2, ranks=4, zero=2), 2000, 1000, 3000),
        (Layout(bytes=2, ranks=4, zero=3), 500, 1000, 3000),
        (Layout(bytes=2, ranks=4, zero=3, offload="all"), 0, 0, 0),
    ],
)
def test_states_by_engine_and_zero_stage(layout, weights, gradients, optimizer):
    found = states(1000, layout)
    assert (found.weights, found.gradients, found.optimizer) == (weights, gradients, optimizer)


def test_a_micro_batch_is_cut_evenly_and_packed_where_that_saves_a_tenth():
    # 16 rows of 10 + 30: six fit 240 tokens, so three passes of six; their prompts (two groups of four) once: 2 x 10 + 6 x 29
    assert memory.micro_batch(Batch(10, 30, 4, 16, 16, 240)) == (6, 194, pytest.approx(6 * 39 / 194), 3)
    # prompts of 1 save nothing worth the trouble: 2 + 16 x 29 = 466 of 16 x 31 = 496 padded tokens
    assert memory.micro_batch(Batch(1, 30, 8, 16, 16, 10_000)) == (16, 496, 0.0, 1)
    assert memory.micro_batch(Batch(10, 30, 4, 16, 16, 5))[0] == 1


def test_activations_by_hand():
    # layer: 6 x 8 + 4 x 20 + 2 x (8 + 4) = 152; two layers 304; once 4 x 8 + 3 x 20 = 92; 396 numbers of 4 bytes, 10 tokens
    assert memory.activations(PLAIN, Layout(), 10, 0.0) == 10 * 4 * 396
    # bfloat16: 2 bytes, and two norms keep 8 numbers each in 4: 2 x (2 x 152 + 2 x 16) + 2 x 92 = 856
    assert memory.activations(PLAIN, Layout(bytes=2), 10, 0.0) == 10 * 856
    # checkpointed: 8 numbers for each layer, one layer whole, and what is there once: 4 x (16 + 152 + 92)
    assert memory.activations(PLAIN, Layout(checkpointing=True), 10, 0.0) == 10 * 1040


def test_logits_are_whole_where_few_and_in_two_pieces_beyond():
    assert memory.log_probabilities(PLAIN, 10) == 4 * 4 * 50 * 10 + 4 * 50 * 8
    assert memory.log_probabilities(PLAIN, 10**6) == 2 * (256 << 20) + 4 * 50 * 8


def test_the_cache_holds_prompts_once_and_completions_at_their_longest():
    batch = Batch(prompt=10, completion=30, samples=4, rows=8, sampled=8, micro_tokens=100)
    assert memory.sampling(PLAIN, Layout(), batch) == 4 * 2 * 8 * (2 * 10 + 8 * 30) + 3 * 4 * 50 * 8


def test_parts_add_up_and_the_value_model_adds_weights_and_optimizer():
    batch = Batch(prompt=10, completion=30, samples=4, rows=16, sampled=16, micro_tokens=240)
    grpo = parts(PLAIN, Layout(), batch, reference=True, value=False)
    ppo = parts(PLAIN, Layout(), batch, reference=True, value=True)
    assert grpo.resident == 4000 + 8000 + 4000
    assert ppo.resident - grpo.resident == 4 * 900 + 8 * 900
    assert grpo.peak == grpo.resident + max(grpo.sampling, 4000 + grpo.activations + grpo.log_probabilities)
    alone = parts(PLAIN, Layout(), Batch(10, 30, 4, 6, 6, 240), reference=False, value=False)
    assert alone.update == max(
        4000, alone.activations + alone.log_probabilities
    )  # in one pass, as one comes the other goes


def test_the_largest_batch_fits_and_the_next_one_does_not():
    batch = Batch(prompt=10, completion=30, samples=1, rows=64, sampled=64, micro_tokens=240)

    def needed(rows):
        found = parts(PLAIN, Layout(), Batch(10, 30, 1, 64, 64, rows * 40), reference=False, value=False)
        return found.resident + found.update

    for room in (needed(1), needed(5), needed(20) + 1, needed(64)):
        rows = memory.largest_rows(PLAIN, Layout(), batch, room, reference=False, value=False)
        assert needed(rows) <= room
        assert (
            rows == 64
            or needed(rows + 1) > room
            or memory.micro_batch(Batch(10, 30, 1, 64, 64, (rows + 1) * 40))[0] == rows
        )
    assert memory.largest_rows(PLAIN, Layout(), batch, 10.0, reference=False, value=False) == 0


@pytest.mark.parametrize("family", ["qwen2", "qwen3"])
@pytest.mark.parametrize(("heads", "kv", "packed"), [(2, 2, False), (6, 2, False), (2, 2, True), (6, 2, True)])
def test_a_layer_keeps_what_autograd_really_saves(family, heads, kv, packed):
    saved, tokens = zip(*(kept(family, heads, kv, layers, packed) for layers in (1, 2)), strict=True)
    model = decoder_of(shape(family, heads, kv, layers=1))
    keys = 16 * (4 + 24 - 1) / tokens[0] if packed else 0.0
    both = [
        memory.activations(m, Layout(), tokens[0], keys)
        for m in (model, decoder_of(shape(family, heads, kv, layers=2)))
    ]
    assert saved[1] - saved[0] == pytest.approx(both[1] - both[0], rel=0.025)


def shape(family, heads, kv, layers):
    return ModelShape(
        family=family,
        vocab_size=50,
        hidden_size=96,
        intermediate_size=160,
        num_layers=layers,
        num_heads=heads,
        num_kv_heads=kv,
        head_dim=16,
        tied_embeddings=True,
    )


def kept(family, heads, kv, layers, packed):
    """Bytes of distinct storages that a forward pass saves, without the weights, and its tokens."""
    config_type, model_type = (Qwen3Config, Qwen3ForCausalLM) if family == "qwen3" else (Qwen2Config, Qwen2ForCausalLM)
    config = config_type(
        vocab_size=50,
        hidden_size=96,
        intermediate_size=160,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv,
        head_dim=16,
        tie_word_embeddings=True,
    )
    model = model_type(config)
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    storages, alive = {}, []

    def pack(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            storages[storage.data_ptr()] = storage.nbytes()
            alive.append(tensor)
        return tensor

    rollouts = [make_rollout((2, 3, 4, 5), (6,) * 24) for _ in range(16)]
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        forward.completion_hidden(model, rollouts, pad_id=0, packed=packed)
    return sum(storages.values()), 4 + 16 * 23 if packed else 16 * 28


def test_constants_are_those_of_the_modules_that_they_describe():
    assert (memory.WHOLE, memory.CHUNK) == (logits.WHOLE_BYTES, logits.CHUNK_BYTES)
    assert memory.PACK_BELOW == forward.PACK_BELOW
    assert memory.HEAP_STEP == allocator.PAD
    assert TransformersSampler.__init__.__kwdefaults__["max_rows"] == memory.SAMPLED_ROWS
