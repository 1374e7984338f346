"""Families that cannot be served are refused by name from their config.json alone; all others are let through."""

import json

import pytest
import transformers

from r1flow.components.core.errors import ModelError
from r1flow.components.core.families import described, require_served
from r1flow.components.core.models import load_config
from tests.fakes.families import BASE, FAMILIES, UNPROVEN

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


@pytest.mark.parametrize("config", [b"", b"[]", b"{", b"[" * 10**6, b'{"model_type": ["llama"]}', b"\xff"])
def test_what_is_no_config_is_a_model_error(config):
    with pytest.raises(ModelError, match=r"^config\.json"):
        described(config)
