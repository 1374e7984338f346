"""Every family is counted as transformers builds it; widths, experts and positions are what its config says."""

from dataclasses import replace

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    BloomConfig,
    DeepseekV3Config,
    Gemma2Config,
    GPT2Config,
    LlamaConfig,
    MambaConfig,
    MistralConfig,
    Qwen2Config,
    Qwen3Config,
    Qwen3MoeConfig,
)

from r1flow.components.core.models import BUILTIN, load_model
from r1flow.components.costs.built import decoder_in
from r1flow.components.costs.decoder import decoder_of, shape_in
from r1flow.components.recipe.presets import load_recipe, preset_names
from r1flow.components.training.rl.value_model import ValueModel

SIZES = {
    "vocab_size": 64, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 128,
}  # fmt: skip
EXPERTS = {"moe_intermediate_size": 16, "num_experts_per_tok": 2}
LATENT = {
    "q_lora_rank": 16, "kv_lora_rank": 16, "qk_rope_head_dim": 8, "qk_nope_head_dim": 4, "v_head_dim": 6, "n_group": 2,
    "topk_group": 1, "n_routed_experts": 4, "first_k_dense_replace": 1,
}  # fmt: skip
FAMILIES = {
    "llama": LlamaConfig(**SIZES),
    "mistral": MistralConfig(**SIZES, tie_word_embeddings=True),
    "gemma2": Gemma2Config(**SIZES, head_dim=16),
    "gpt2": GPT2Config(vocab_size=64, n_embd=32, n_layer=2, n_head=4, n_positions=64, bos_token_id=0, eos_token_id=1),
    "qwen3_moe": Qwen3MoeConfig(**SIZES, **EXPERTS, head_dim=8, num_experts=8),
    "deepseek_v3": DeepseekV3Config(**(SIZES | {"num_key_value_heads": 4}), **EXPERTS, **LATENT),
}


def built(config):
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(config)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_parameter_is_counted_once(family):
    found, model = decoder_in(built(FAMILIES[family])), AutoModelForCausalLM.from_config(FAMILIES[family])
    assert found.parameters == sum(p.numel() for p in model.parameters())
    assert found.value == sum(p.numel() for p in ValueModel(model).parameters())
    assert (found.vocabulary, found.hidden, found.layers, found.notes) == (64, 32, 2, ())
    assert found.positions == (64 if family == "gpt2" else 128)


def test_widths_by_hand():
    # attention of a layer: 2 x 32 x (queries + keys); a gated MLP of 48: 3 x 32 x 48
    found = {name: decoder_in(built(FAMILIES[name])) for name in FAMILIES}
    llama = found["llama"]
    assert (llama.queries, llama.keys, llama.cached, llama.intermediate, llama.idle) == (32, 16, 32, 48, 0)
    assert llama.body == 2 * (2 * 32 * 48 + 3 * 32 * 48)
    assert (found["gemma2"].queries, found["gemma2"].keys) == (64, 32)
    assert (found["gpt2"].queries, found["gpt2"].keys, found["gpt2"].cached) == (32, 32, 64)
    assert found["gpt2"].body == 2 * 12 * 32 * 32
    latent = found["deepseek_v3"]
    assert (latent.queries, latent.keys, latent.cached) == (4 * 12, 4 * 12, 4 * (12 + 6))


def test_of_experts_a_token_meets_those_that_it_is_sent_to():
    found = decoder_in(built(FAMILIES["qwen3_moe"]))
    expert = 3 * 32 * 16
    assert found.idle == 2 * 6 * expert  # two layers, six of eight
    assert found.active == found.parameters - found.idle
    assert found.body == 2 * (2 * 32 * 48 + 2 * expert + 8 * 32)  # attention, two experts, the router
    assert decoder_in(built(FAMILIES["deepseek_v3"])).idle == 2 * expert  # one layer has experts: two of four


def test_what_a_config_does_not_say_is_said(monkeypatch):
    found = decoder_in(built(MambaConfig(vocab_size=64, hidden_size=32, num_hidden_layers=2)))
    assert (found.queries, found.positions) == (32, None)
    assert "names no attention heads" in found.notes[0]
    bloom = decoder_in(built(BloomConfig(vocab_size=64, hidden_size=32, n_layer=2, n_head=4)))
    assert (bloom.queries, bloom.keys, bloom.positions, bloom.notes) == (32, 32, None, ())
    monkeypatch.setattr("r1flow.components.costs.built.CHOSEN", ())
    found = decoder_in(built(FAMILIES["qwen3_moe"]))
    assert found.idle == 0
    assert "how many experts" in found.notes[0]


@pytest.mark.parametrize("name", ["tiny-base", "tiny-student"])
def test_a_shipped_model_s_shape_says_what_the_model_is(name):
    assert decoder_in(load_model(BUILTIN[name])) == decoder_of(shape_in(BUILTIN[name]))


@pytest.mark.parametrize("name", preset_names())
def test_the_shapes_of_presets_say_what_their_models_would_be(name):
    for model in load_recipe(name).models.values():
        if (shape := model.shape) is None:
            continue
        config = {"llama": LlamaConfig, "qwen2": Qwen2Config, "qwen3": Qwen3Config}[shape.family](
            vocab_size=shape.vocab_size,
            hidden_size=shape.hidden_size,
            intermediate_size=shape.intermediate_size,
            num_hidden_layers=shape.num_layers,
            num_attention_heads=shape.num_heads,
            num_key_value_heads=shape.num_kv_heads,
            tie_word_embeddings=shape.tied_embeddings,
            max_position_embeddings=shape.positions,
        )
        assert decoder_in(built(config)) == replace(decoder_of(shape), notes=())
