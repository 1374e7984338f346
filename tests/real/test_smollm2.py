"""A real language model in this process: what it answers, log-probabilities on real text, and what its sampler serves."""

import pytest
import torch

from r1flow.components.core.attention import caches_what_it_reads, open_attention
from r1flow.components.core.models import load_model, load_tokenizer
from r1flow.components.data.encode import beginning, encode_prompt
from r1flow.components.data.ends import find_ends, names
from r1flow.components.programs import prove_weights
from r1flow.components.sampling.base import Request, Sampling
from r1flow.components.sampling.transformers import TransformersSampler
from r1flow.components.training.rl.forward import completion_logprobs
from r1flow.components.training.sft.encode import encode_pair
from r1flow.components.training.sft.loss import packed_nll, summed_nll
from tests.fakes.tiny import make_rollout, plain_logprobs

pytestmark = [pytest.mark.real, pytest.mark.timeout(3600)]
MOST = 1e-4
"""Nats, in float32, over 49,152 words and thirty layers."""
TEXTS = {
    "Why is the sky blue?": [
        "Air scatters short waves of light more than long ones, and our eyes see blue better than violet.",
        "Because of Rayleigh scattering: its strength goes with the inverse fourth power of the wavelength.",
    ],
    "def fib(n):\n    # the n-th Fibonacci number": [
        "\n    a, b = 0, 1\n    for _ in range(n):\n        a, b = b, a + b\n    return a\n",
        "\n    return n if n < 2 else fib(n - 1) + fib(n - 2)  # slow",
    ],
    "Traduis: l'\u00e9t\u00e9 \u00e0 la mer, \u4f60\u597d \U0001f44b": [
        "Summer by the sea, hello.",
        "\u590f\u5929 \U0001f30a",
    ],
}


@pytest.fixture(scope="module")
def tokenizer(taken):
    return load_tokenizer(taken.model)


@pytest.fixture(scope="module")
def model(taken):
    torch.set_num_threads(2)
    return load_model(taken.model)


@pytest.fixture(scope="module")
def ends(tokenizer, taken):
    return find_ends(tokenizer, taken.model, "tokenizer")


def sampler(model, tokenizer, ends):
    return TransformersSampler(model, eos_id=ends.ids, pad_id=tokenizer.pad_token_id)


def test_the_import_says_what_it_has_taken_in(taken, tokenizer, ends):
    assert taken.metrics["parameters"] == 134_515_008
    assert taken.metrics["positions"] == 8192
    assert 5 < taken.metrics["bits_per_weight"] < 6
    assert "dequantised: architecture llama, tensors in 61 F32 and 210 Q4_1 and 1 Q8_0" in taken.card
    assert (names(tokenizer, ends), tokenizer.pad_token, beginning(tokenizer)) == (("<|im_end|>",), "<|im_end|>", ())


def test_it_knows_what_it_has_learned_and_stops_behind_it(model, tokenizer, ends):
    asked = encode_prompt(tokenizer, "tokenizer", "What is the capital of France? Answer in one sentence.")
    (done,) = sampler(model, tokenizer, ends).generate([Request(asked, 0)], Sampling(24, 0.0))
    assert "Paris" in tokenizer.decode(done.ids)
    assert done.ids[-1] == ends.trained


def test_every_path_gives_real_text_the_log_probabilities_of_the_models_own_forward(model, tokenizer, ends):
    examples = [
        encode_pair(tokenizer, prompt, text, ends, row=text) for prompt, texts in TEXTS.items() for text in texts
    ]
    made = [make_rollout(e.ids[: e.num_context], e.ids[e.num_context :]) for e in examples]
    own = torch.tensor([p for r in made for p in plain_logprobs(model, r.prompt_ids, r.ids)])
    assert -5 < own.mean() < -1  # it has read such texts
    with torch.no_grad():
        for packed in (False, True):
            got, _ = completion_logprobs(model, made, pad_id=tokenizer.pad_token_id, temperature=1.0, packed=packed)
            assert (got.double() - own).abs().max() <= MOST, f"packed {packed}"
        for loss in (summed_nll(model, examples, pad_id=tokenizer.pad_token_id), packed_nll(model, examples)):
            assert abs(float(loss + own.sum())) <= MOST * len(own)


def test_the_sampler_draws_by_the_models_own_distribution_with_shared_prompts(model, tokenizer, ends):
    assert open_attention(model)
    assert caches_what_it_reads(model)
    prompts = [encode_prompt(tokenizer, "tokenizer", prompt) for prompt in TEXTS]
    requests = [Request(prompt, seed) for prompt in prompts for seed in range(2)]
    done = sampler(model, tokenizer, ends).generate(requests, Sampling(12))
    for request, completion in zip(requests, done, strict=True):
        own = plain_logprobs(model, request.prompt_ids, completion.ids)
        assert max(abs(a - b) for a, b in zip(completion.logprobs, own, strict=True)) <= MOST
    assert len({completion.ids for completion in done}) == len(done)


def test_its_weights_are_proved_and_six_sabotages_are_caught(taken, tmp_path):
    found = prove_weights.main({"kind": "transformers", "model": str(taken.model), "work": str(tmp_path)})["findings"]
    assert [what for what, right, _ in found if not right] == []
    assert [what for what, _, _ in found] == [
        "weights as trained",
        "a tensor left out",
        "a tensor that kept its old values",
        "a stale version",
        "stale weights as the new version",
        "a transposed tensor",
        "a tied lm_head not sent",
    ]
