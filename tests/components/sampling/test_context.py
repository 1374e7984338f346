"""A request beyond the model's positions is refused before a token is drawn, wherever the sampler runs."""

import pytest
from transformers import AutoModelForCausalLM, BloomConfig, GPT2Config

from r1flow.components.core.errors import ConfigError
from r1flow.components.core.models import BUILTIN, load_model, load_tokenizer
from r1flow.components.sampling.base import Request, Sampling
from r1flow.components.sampling.context import check_positions
from r1flow.components.sampling.remote import RemoteSampler
from r1flow.components.sampling.server import SamplerSpec
from r1flow.components.sampling.transformers import TransformersSampler

SHIPPED = BUILTIN["tiny-base"]
BEYOND = r"max_tokens: a prompt of 100 tokens and 29 more exceed the model's 128 positions; lower max_tokens"


def request(length, seed=1):
    return Request((5,) * length, seed)


def test_the_last_position_may_be_filled_and_no_more():
    check_positions([request(100), request(3)], Sampling(28), 128)
    check_positions([request(10**6)], Sampling(1), None)
    check_positions([], Sampling(128), 128)
    with pytest.raises(ConfigError, match=BEYOND):
        check_positions([request(3), request(100)], Sampling(29), 128)


def test_a_sampler_here_and_one_in_a_process_of_its_own_refuse_alike(tmp_path):
    tokenizer = load_tokenizer(SHIPPED)
    ends = {"eos_id": tokenizer.eos_token_id, "pad_id": tokenizer.pad_token_id}
    here = TransformersSampler(load_model(SHIPPED), **ends)
    with pytest.raises(ConfigError, match=BEYOND):
        here.generate([request(100)], Sampling(29))
    with RemoteSampler(SamplerSpec(kind="transformers", model=SHIPPED, **ends), tmp_path) as there:
        with pytest.raises(ConfigError, match=BEYOND):
            there.generate([request(100)], Sampling(29))
        assert there.generate([request(100)], Sampling(2))[0].ids == here.generate([request(100)], Sampling(2))[0].ids


def test_learned_positions_are_refused_in_words_and_a_family_without_any_is_not():
    sizes = {"vocab_size": 40, "bos_token_id": 0, "eos_token_id": 1}
    learned = AutoModelForCausalLM.from_config(GPT2Config(n_positions=16, n_embd=16, n_layer=1, n_head=2, **sizes))
    with pytest.raises(ConfigError, match="a prompt of 10 tokens and 7 more exceed the model's 16 positions"):
        TransformersSampler(learned, eos_id=1, pad_id=0).generate([request(10)], Sampling(7))
    alibi = AutoModelForCausalLM.from_config(BloomConfig(hidden_size=16, n_layer=1, n_head=2, **sizes))
    assert TransformersSampler(alibi, eos_id=1, pad_id=0).generate([request(40)], Sampling(3))
