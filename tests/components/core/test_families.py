"""Families that cannot be served are refused by name from their config.json alone; all others are let through."""

import json

import pytest
import torch
import transformers

from r1flow.components.core.attention import masks_of, proven
from r1flow.components.core.errors import ModelError
from r1flow.components.core.families import described, require_served
from r1flow.components.core.models import load_config, load_model
from r1flow.components.core.positions import known_positions
from r1flow.components.data.chat import TEMPLATES
from r1flow.components.data.tinyworld.model import build_tokenizer
from tests.fakes.families import BASE, FAMILIES, UNPROVEN, random_model

REFUSED = ("rwkv", "mamba", "mamba2", "falcon_mamba", "xlstm", "openai-gpt")
SERVED = sorted((FAMILIES | UNPROVEN).keys() - set(REFUSED))


@pytest.mark.parametrize("family", REFUSED)
def test_a_memory_that_is_no_cache_is_refused_by_name(family, tmp_path):
    config = json.dumps({"model_type": family})
    with pytest.raises(ModelError, match=f"^models of type '{family}' cannot be sampled: .*cache of keys and values"):
        described(config.encode())
    (tmp_path / "config.json").write_text(config)
    with pytest.raises(ModelError, match=f"^{tmp_path}: models of type '{family}' cannot be sampled"):
        load_config(tmp_path)


@pytest.mark.parametrize("family", ["t5", "vit", "clip"])
def test_what_continues_no_text_is_refused_by_name(family):
    with pytest.raises(ModelError, match=f"^models of type '{family}' are no causal language models"):
        described(json.dumps({"model_type": family}).encode())


@pytest.mark.parametrize("family", SERVED)
def test_every_other_family_is_let_through(family):
    name, own = (FAMILIES | UNPROVEN)[family]
    assert require_served(getattr(transformers, name)(**(BASE | own))).__name__.endswith(("ForCausalLM", "LMHeadModel"))


def test_llama_4_is_what_it_saves_and_counts_no_place_beyond_its_first_scale(tmp_path):
    """Its class calls its body otherwise than it is, and scales scores by the place in a padded row."""
    made = random_model("llama4_text")
    assert made.base_model is made.model
    assert masks_of(made.config) == {"chunks of 8": 1, "full": 1}
    assert not proven(made.config)
    made.save_pretrained(tmp_path)
    build_tokenizer((TEMPLATES / "tiny.jinja").read_text()).save_pretrained(tmp_path)
    loaded = load_model(tmp_path)
    assert loaded.base_model is loaded.model
    ids = torch.arange(2, 22)[None]
    assert torch.equal(loaded(input_ids=ids).logits, made(input_ids=ids).logits)
    assert known_positions(loaded.config) == 128
    loaded.config.floor_scale = 16
    assert known_positions(loaded.config) == 15
    loaded.config.attn_temperature_tuning = False
    assert known_positions(loaded.config) == 128


@pytest.mark.parametrize("config", [b"", b"[]", b"{", b"[" * 10**6, b'{"model_type": ["llama"]}', b"\xff"])
def test_what_is_no_config_is_a_model_error(config):
    with pytest.raises(ModelError, match=r"^config\.json"):
        described(config)
