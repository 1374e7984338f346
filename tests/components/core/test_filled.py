"""A model is what its files hold, or is refused with the names of the tensors that are not."""

import json
import shutil

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from r1flow.components.core.errors import ModelError
from r1flow.components.core.models import attention_for, check_weights, load_config, load_model, save_model
from r1flow.components.core.weights import WEIGHTS
from tests.fakes.tiny import grouped_query_model, tiny_model
from tests.fakes.tokenizers import byte_level

UP = "model.layers.1.mlp.up_proj.weight"
HEAD, EMBEDDING = "lm_head.weight", "model.embed_tokens.weight"


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Directories of a model whose head is its own, and of one whose head is tied."""
    base, tokenizer = tmp_path_factory.mktemp("models"), byte_level()
    save_model(grouped_query_model(), tokenizer, base / "untied")
    save_model(tiny_model(), tokenizer, base / "tied")
    return base


@pytest.fixture
def changed(saved, tmp_path):
    def change(how, name="untied", **config):
        directory = shutil.copytree(saved / name, tmp_path / "model")
        weights = load_file(directory / WEIGHTS)
        save_file(how(weights), directory / WEIGHTS, {"format": "pt"})
        path = directory / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | config))
        return directory

    return change


def without(*parts):
    return lambda weights: {name: tensor for name, tensor in weights.items() if not any(part in name for part in parts)}


def under(prefix):
    return lambda weights: {prefix + name: tensor for name, tensor in weights.items()}


def put(**tensors):
    return lambda weights: weights | {name.replace("__", "."): tensor for name, tensor in tensors.items()}


def refused(directory, said):
    with pytest.raises(ModelError, match=said) as caught:
        load_model(directory)
    assert str(caught.value).startswith(f"{directory}: ")


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        (["layers.1.mlp.up_proj"], rf"missing tensors: {UP}; fetch"),
        (["model.norm"], r"missing tensors: model\.norm\.weight; fetch"),
        (["layers.0.self_attn.q_norm", "layers.1.self_attn.q_norm"], r"layers\.0.*q_norm\.weight, .*layers\.1.*q_norm\.weight;"),
        (["layers.1."], r"layers\.1\.input_layernorm\.weight, .* and 6 more;"),
        (["embed_tokens"], r"missing tensors: model\.embed_tokens\.weight; fetch"),
        (["lm_head"], r"missing tensors: lm_head\.weight; store the head, or have config\.json tie it .*tie_word_embeddings"),
        (["lm_head", "layers.1.mlp.up_proj"], rf"missing tensors: lm_head\.weight, {UP}; fetch"),
    ],
)  # fmt: skip
def test_missing_tensors_are_named_and_so_they_are_before_a_weight_is_read(changed, parts, said):
    directory = changed(without(*parts))
    refused(directory, said)
    with pytest.raises(ModelError, match=said):
        check_weights(directory, load_config(directory))


def test_a_tensor_by_another_name_is_missing_and_left_over(changed):
    refused(
        changed(lambda w: {n.replace("up_proj", "up"): t for n, t in w.items()}), r"missing tensors: .*up_proj\.weight"
    )


@pytest.mark.parametrize("prefix", ["policy.", "module.", "_orig_mod.", "base_model.model.", "actor.module.model."])
def test_a_prefix_of_all_names_is_said(changed, prefix):
    directory = changed(under(prefix))
    said = (
        rf"all names begin with '{prefix}', which is not the model's: {prefix}lm_head\.weight, .* and [0-9]+ more; save"
    )
    refused(directory, said)
    with pytest.raises(ModelError, match=said):
        check_weights(directory, load_config(directory))


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ({"score__weight": torch.ones(1, 32)}, r"no place for score\.weight; correct config\.json"),
        ({"model__layers__2__mlp__up_proj__weight": torch.ones(48, 32)}, r"no place for model\.layers\.2\.mlp\.up_proj\.weight"),
        ({"model__layers__0__self_attn__q_proj__bias": torch.ones(32)}, r"no place for model\.layers\.0.*q_proj\.bias"),
        ({f"lora__{i}": torch.ones(1) for i in range(9)}, r"no place for lora\.0, lora\.1, lora\.2, lora\.3, lora\.4 and 4 more"),
    ],
)  # fmt: skip
def test_tensors_that_the_model_has_no_place_for_are_named(changed, tensors, said):
    refused(changed(put(**tensors)), said)


@pytest.mark.parametrize(
    ("tensors", "config", "said"),
    [
        ({UP.replace(".", "__"): torch.ones(32, 48)}, {}, rf"{UP} is \[32, 48\], not \[48, 32\]"),
        ({"model__norm__weight": torch.ones(33)}, {}, r"model\.norm\.weight is \[33\], not \[32\]"),
        ({"lm_head__weight": torch.ones(41, 32)}, {}, r"lm_head\.weight is \[41, 32\], not \[40, 32\]"),
        ({}, {"intermediate_size": 40}, r"layers\.0\.mlp\.down_proj\.weight is \[32, 48\], not \[32, 40\].* and 1 more"),
    ],
)  # fmt: skip
def test_shapes_that_are_not_the_config_s_are_named(changed, tensors, config, said):
    refused(changed(put(**tensors), **config), said)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("name", ["model.norm.weight", UP, HEAD])
def test_what_is_no_number_is_named(changed, name, value):
    def spoil(weights):
        weights[name].view(-1)[-1] = value
        return weights

    refused(changed(spoil), rf"NaN or infinity in {name}; fetch or save the model again")


def test_a_number_that_the_asked_for_type_cannot_hold_is_none(changed):
    directory = changed(put(model__norm__weight=torch.full((32,), 3.4e38)))
    load_model(directory)
    with pytest.raises(ModelError, match=r"NaN or infinity in model\.norm\.weight"):
        load_model(directory, dtype="bfloat16")


def tied_head(weights):
    return weights | {HEAD: weights[EMBEDDING].clone()}


def other_head(weights):
    return weights | {HEAD: weights[EMBEDDING] + 0.25}


def head_alone(weights):
    return {name: tensor for name, tensor in tied_head(weights).items() if name != EMBEDDING}


@pytest.mark.parametrize("how", [lambda w: w, tied_head, head_alone])
def test_a_tied_head_is_left_out_or_equal(changed, saved, how):
    expected = load_model(saved / "tied")
    loaded = load_model(changed(how, "tied"))
    assert loaded.lm_head.weight is loaded.model.embed_tokens.weight
    assert torch.equal(loaded.lm_head.weight, expected.lm_head.weight)


def test_a_tied_head_that_is_stored_and_differs_is_refused(changed):
    refused(
        changed(other_head, "tied"),
        r"ties lm_head\.weight to model\.embed_tokens\.weight \(tie_word_embeddings\), but both are stored and differ;",
    )


def test_a_head_of_its_own_may_be_any(changed):
    weights = load_model(changed(other_head, "tied", tie_word_embeddings=False))
    assert not torch.equal(weights.lm_head.weight, weights.model.embed_tokens.weight)


def test_a_head_that_is_not_tied_must_be_there(changed):
    refused(
        changed(lambda w: w, "tied", tie_word_embeddings=False), r"missing tensors: lm_head\.weight; store the head"
    )


FAMILIES = {
    "gpt2": (
        transformers.GPT2Config(vocab_size=40, n_positions=32, n_embd=32, n_layer=2, n_head=2),
        {"transformer.h.0.attn.bias": torch.ones(1, 1, 32, 32), "transformer.h.0.attn.masked_bias": torch.tensor(-1e4)},
    ),
    "gpt_neox": (
        transformers.GPTNeoXConfig(vocab_size=40, hidden_size=32, num_hidden_layers=2, num_attention_heads=2),
        {"gpt_neox.layers.0.attention.bias": torch.ones(1, 1, 32, 32).bool(),
         "gpt_neox.layers.0.attention.masked_bias": torch.tensor(-1e9),
         "gpt_neox.layers.0.attention.rotary_emb.inv_freq": torch.ones(4)},
    ),
    "llama": (
        transformers.LlamaConfig(vocab_size=40, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64),
        {f"model.layers.{i}.self_attn.rotary_emb.inv_freq": torch.ones(8) for i in range(2)},
    ),
    "mixtral": (
        transformers.MixtralConfig(vocab_size=40, hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
                                   num_key_value_heads=2, intermediate_size=48, num_local_experts=4),
        {},
    ),
    "gemma2": (
        transformers.Gemma2Config(vocab_size=40, hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
                                  num_key_value_heads=2, intermediate_size=48, head_dim=16),
        {},
    ),
    "qwen3_moe": (
        transformers.Qwen3MoeConfig(vocab_size=40, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, num_experts=4,
                                    num_experts_per_tok=2,
                                    num_key_value_heads=2, intermediate_size=48, moe_intermediate_size=16, head_dim=16),
        {},
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def families(tmp_path_factory):
    base = tmp_path_factory.mktemp("families")
    for name, (config, _) in FAMILIES.items():
        torch.manual_seed(0)
        AutoModelForCausalLM.from_config(config).save_pretrained(base / name)
        byte_level().save_pretrained(base / name)
    return base


@pytest.mark.parametrize("family", FAMILIES)
def test_buffers_that_older_files_hold_and_tensors_put_together_are_no_reason(families, tmp_path, family):
    directory = shutil.copytree(families / family, tmp_path / family)
    weights = load_file(directory / WEIGHTS)
    save_file(weights | FAMILIES[family][1], directory / WEIGHTS, {"format": "pt"})
    config = load_config(directory)
    expected = AutoModelForCausalLM.from_pretrained(directory, attn_implementation=attention_for(config)).eval()
    check_weights(directory, config)
    loaded = load_model(directory)
    ids = torch.arange(12)[None]
    assert torch.equal(loaded(input_ids=ids).logits, expected(input_ids=ids).logits)


@pytest.mark.parametrize("family", FAMILIES)
def test_in_every_family_the_last_matrix_is_missed(families, tmp_path, family):
    directory = shutil.copytree(families / family, tmp_path / family)
    weights = load_file(directory / WEIGHTS)
    gone = max((name for name, tensor in weights.items() if "1" in name and tensor.ndim > 1), key=str)
    save_file(without(gone)(weights), directory / WEIGHTS, {"format": "pt"})
    refused(directory, r"(missing tensors: |shapes are not).*1\.")


@pytest.mark.parametrize(
    ("family", "gone"),
    [
        ("mixtral", "model.layers.1.block_sparse_moe.experts.3.w1.weight"),
        ("mixtral", "model.layers.0.block_sparse_moe.gate.weight"),
        ("qwen3_moe", "model.layers.0.mlp.experts.2.down_proj.weight"),
    ],
)
def test_an_expert_that_is_missing_is_named_as_files_call_it(families, tmp_path, family, gone):
    directory = shutil.copytree(families / family, tmp_path / family)
    weights = load_file(directory / WEIGHTS)
    assert weights.pop(gone).ndim == 2
    save_file(weights, directory / WEIGHTS, {"format": "pt"})
    refused(directory, rf"missing tensors: {gone};")
