"""Parameter counts: published models to the last weight, and models that were really built."""

import pytest
import torch
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from r1flow.components.costs.parameters import count_parameters, count_value_parameters
from r1flow.components.recipe.models import ModelShape
from r1flow.components.recipe.presets import load_recipe, preset_names
from r1flow.components.training.rl.value_model import ValueModel


def make_shape(family, vocab, hidden, intermediate, layers, heads, kv, head_dim, tied):
    return ModelShape(
        family=family,
        vocab_size=vocab,
        hidden_size=hidden,
        intermediate_size=intermediate,
        num_layers=layers,
        num_heads=heads,
        num_kv_heads=kv,
        head_dim=head_dim,
        tied_embeddings=tied,
    )


@pytest.mark.parametrize(
    ("shape", "count"),
    [
        (("llama", 49152, 576, 1536, 30, 9, 3, 64, True), 134_515_008),  # SmolLM2-135M
        (("qwen2", 151936, 896, 4864, 24, 14, 2, 64, True), 494_032_768),  # Qwen2.5-0.5B
        (("qwen2", 151936, 1536, 8960, 28, 12, 2, 128, True), 1_543_714_304),  # Qwen2.5-1.5B
        (("qwen2", 152064, 3584, 18944, 28, 28, 4, 128, False), 7_615_616_512),  # Qwen2.5-7B
        (("qwen2", 152064, 5120, 27648, 64, 40, 8, 128, False), 32_763_876_352),  # Qwen2.5-32B
    ],
)
def test_published_models_are_counted_to_the_last_weight(shape, count):
    assert count_parameters(make_shape(*shape)) == count


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize(
    ("family", "config", "model"),
    [
        ("llama", LlamaConfig, LlamaForCausalLM),
        ("qwen2", Qwen2Config, Qwen2ForCausalLM),
        ("qwen3", Qwen3Config, Qwen3ForCausalLM),
    ],
)
def test_models_that_were_built_have_as_many(family, config, model, tied):
    sizes = {"head_dim": 16} if family == "qwen3" else {}  # qwen2 derives it: 96 / 6 = 16
    with torch.device("meta"):
        built = model(
            config(
                vocab_size=101,
                hidden_size=96,
                intermediate_size=130,
                num_hidden_layers=3,
                num_attention_heads=6,
                num_key_value_heads=2,
                tie_word_embeddings=tied,
                **sizes,
            )
        )
    shape = make_shape(family, 101, 96, 130, 3, 6, 2, 16, tied)
    assert sum(p.numel() for p in built.parameters()) == count_parameters(shape)
    with torch.device("meta"):
        value_model = ValueModel(built)
    assert sum(p.numel() for p in value_model.parameters()) == count_value_parameters(shape)


@pytest.mark.parametrize("name", preset_names())
def test_the_shapes_in_presets_are_those_of_the_models_they_name(name):
    recipe = load_recipe(name)
    known = {"Qwen2.5-0.5B": 494_032_768, "Qwen2.5-1.5B": 1_543_714_304, "Qwen2.5-7B": 7_615_616_512}
    known |= {"Qwen2.5-32B": 32_763_876_352, "SmolLM2-135M-Instruct": 134_515_008}
    for model in recipe.models.values():
        if not model.source.startswith("builtin:"):
            assert model.shape is not None
            assert count_parameters(model.shape) == known[model.source.split("/")[-1]]
