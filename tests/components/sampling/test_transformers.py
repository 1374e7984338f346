"""The batched sampler says what a plain forward pass, one prompt and one token at a time, would say."""

import random

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, MistralConfig, Qwen2Config

import r1flow.components.sampling.transformers as module
from r1flow.components.core.errors import WeightSyncError
from r1flow.components.sampling.base import Request, Sampling
from r1flow.components.sampling.cache import SharedPast
from r1flow.components.sampling.transformers import TransformersSampler
from tests.fakes.tiny import EOS, PAD, plain_logprobs, tiny_model

SAMPLING = Sampling(max_tokens=24, temperature=1.2)
SHAPE = {
    "vocab_size": 40,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "initializer_range": 0.3,
    "pad_token_id": PAD,
    "eos_token_id": EOS,
}
FAMILIES = [
    LlamaConfig(**SHAPE),
    MistralConfig(**SHAPE, sliding_window=6),
    Qwen2Config(**SHAPE, use_sliding_window=True, sliding_window=6, max_window_layers=1),
]
"""No ``layer_types``; none and a window; a window in one of two layers, shorter than the rows."""


@pytest.fixture(scope="module")
def model():
    """Its end-of-sequence token is likely enough that completions end early, late and never."""
    model = tiny_model(sharpness=3.0)
    with torch.no_grad():
        usual = model.base_model(input_ids=torch.randint(2, 40, (16, 8))).last_hidden_state.mean((0, 1))
        model.get_input_embeddings().weight[EOS] = 4 * usual / usual.square().sum()
    return model


@pytest.fixture
def sampler(model):
    return TransformersSampler(model, eos_id=EOS, pad_id=PAD)


def make_requests(num_prompts=7, samples=3):
    rng = random.Random(4)
    prompts = [tuple(rng.randrange(2, 40) for _ in range(rng.randint(1, 13))) for _ in range(num_prompts)]
    return [Request(prompt, seed=1000 * i + s) for i, prompt in enumerate(prompts) for s in range(samples)]


@torch.no_grad()
def plain_sample(model, request, sampling):
    """Inverse-CDF sampling in numpy over uncached forward passes."""
    uniforms = np.random.Generator(np.random.Philox(key=request.seed)).random(sampling.max_tokens)
    ids = list(request.prompt_ids)
    for uniform in uniforms:
        logits = model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1].double()
        probs = (logits / sampling.temperature).softmax(-1).numpy()
        if sampling.top_p < 1:
            order = np.argsort(-probs, kind="stable")
            kept = np.cumsum(probs[order]) - probs[order] < sampling.top_p
            probs[order[~kept]] = 0
        cumulative = np.cumsum(probs)
        ids.append(int(np.searchsorted(cumulative, uniform * cumulative[-1], side="right")))
        if ids[-1] == EOS:
            break
    return tuple(ids[len(request.prompt_ids) :])


@pytest.mark.parametrize("sampling", [SAMPLING, Sampling(24, 1.0, 0.8)])
def test_tokens_and_log_probabilities_are_those_of_uncached_forward_passes(model, sampler, sampling):
    requests = make_requests()
    completions = sampler.generate(requests, sampling)
    for request, completion in zip(requests, completions, strict=True):
        assert completion.ids == plain_sample(model, request, sampling)
        expected = plain_logprobs(model, request.prompt_ids, completion.ids, temperature=sampling.temperature)
        assert completion.logprobs == pytest.approx(expected, abs=1e-5)
    lengths = {len(c.ids) for c in completions}
    assert min(lengths) < 8
    assert max(lengths) == 24


@pytest.mark.parametrize("family", FAMILIES, ids=lambda config: config.model_type)
def test_an_architecture_that_is_not_proven_sees_what_its_own_forward_pass_sees(family):
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(family).eval()
    requests = make_requests()
    completions = TransformersSampler(model, eos_id=EOS, pad_id=PAD).generate(requests, SAMPLING)
    for request, completion in zip(requests, completions, strict=True):
        assert completion.ids == plain_sample(model, request, SAMPLING)
        expected = plain_logprobs(model, request.prompt_ids, completion.ids, temperature=SAMPLING.temperature)
        assert completion.logprobs == pytest.approx(expected, abs=1e-5)


def test_a_request_gives_the_same_tokens_in_whatever_company(sampler):
    requests = make_requests()
    together = sampler.generate(requests, SAMPLING)
    assert [sampler.generate([r], SAMPLING)[0].ids for r in requests] == [c.ids for c in together]
    backwards = sampler.generate(requests[::-1], SAMPLING)
    assert [c.ids for c in backwards[::-1]] == [c.ids for c in together]


def test_a_small_room_for_rows_gives_the_same_tokens(model, sampler):
    small = TransformersSampler(model, eos_id=EOS, pad_id=PAD, max_rows=4)
    requests = make_requests()
    assert [c.ids for c in small.generate(requests, SAMPLING)] == [c.ids for c in sampler.generate(requests, SAMPLING)]


def test_looking_seldom_at_who_has_ended_changes_no_completion(model, sampler):
    """Away from a CPU a look costs time; rows that have ended run along until the next one."""
    requests, told = make_requests(), []
    seldom = TransformersSampler(model, eos_id=EOS, pad_id=PAD, look_every=5)
    usual = sampler.generate(requests, SAMPLING)
    for one, other in zip(
        seldom.generate(requests, SAMPLING, finished=lambda row, ids: told.append((row, ids))), usual, strict=True
    ):
        assert one.ids == other.ids
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-5)
    ended = sorted((row, c.ids) for row, c in enumerate(usual) if c.finished)
    assert sorted(told) == ended
    at_once = []
    sampler.generate(requests, SAMPLING, finished=lambda row, ids: at_once.append((row, ids)))
    assert sorted(at_once) == ended


def test_dropping_rows_that_have_ended_changes_no_token(sampler, monkeypatch):
    requests, sizes = make_requests(), []
    select = SharedPast.select_rows
    monkeypatch.setattr(SharedPast, "select_rows", lambda self, rows: (sizes.append(len(rows)), select(self, rows)))
    usual = sampler.generate(requests, SAMPLING)
    assert sizes[0] < len(requests)
    assert len(sizes) > 1
    assert sizes == sorted(sizes, reverse=True)
    at_usual = len(sizes)
    for share in (2.0, 0.0):  # never; at every step
        sizes.clear()
        monkeypatch.setattr(module, "COMPACT_AT", share)
        assert [c.ids for c in sampler.generate(requests, SAMPLING)] == [c.ids for c in usual]
        assert len(sizes) == 0 if share else len(sizes) > at_usual


def test_a_completion_ends_at_the_first_of_several_ends():
    model = tiny_model()
    prompts = [Request((3, 4, 5), seed) for seed in range(24)]
    plain = TransformersSampler(model, eos_id=EOS, pad_id=PAD).generate(prompts, SAMPLING)
    other = next(token for completion in plain for token in completion.ids[:-1] if token != EOS)
    both = TransformersSampler(model, eos_id=(EOS, other), pad_id=PAD).generate(prompts, SAMPLING)
    for one, cut in zip(plain, both, strict=True):
        place = next((i for i, token in enumerate(one.ids) if token in (EOS, other)), None)
        assert cut.ids == (one.ids if place is None else one.ids[: place + 1])
        assert cut.finished == (place is not None)
    assert [c.ids[-1] for c in both].count(other)


def test_the_end_token_is_kept_and_a_completion_without_it_is_unfinished(sampler):
    for completion in sampler.generate(make_requests(), SAMPLING):
        assert completion.finished == (completion.ids[-1] == EOS)
        assert EOS not in completion.ids[:-1]
        assert completion.finished or len(completion.ids) == SAMPLING.max_tokens
        assert len(completion.ids) == len(completion.logprobs)


def test_fewer_tokens_are_a_beginning_of_more(sampler):
    requests = make_requests()
    long = sampler.generate(requests, SAMPLING)
    for limit in (1, 5):
        for short, whole in zip(sampler.generate(requests, Sampling(limit, 1.2)), long, strict=True):
            assert short.ids == whole.ids[:limit]
            assert short.finished == (whole.finished and len(whole.ids) <= limit)


def test_temperature_zero_takes_the_likeliest_token(model, sampler):
    prompt = (5, 9, 12)
    one, other = sampler.generate([Request(prompt, 1), Request(prompt, 2)], Sampling(6, temperature=0))
    assert one.ids == other.ids
    ids = list(prompt)
    for token in one.ids:
        assert token == int(model(input_ids=torch.tensor([ids])).logits[0, -1].argmax())
        ids.append(token)


def test_a_prompt_shared_by_many_samples_is_computed_once(model, sampler, monkeypatch):
    shapes = []
    forward = TransformersSampler._forward
    monkeypatch.setattr(
        TransformersSampler,
        "_forward",
        lambda self, ids, *rest, **more: (shapes.append(ids.shape), forward(self, ids, *rest, **more))[1],
    )
    sampler.generate([Request((5, 6, 7), seed) for seed in range(8)], Sampling(3))
    assert shapes[0] == (1, 3)
    assert shapes[1][1] == 1


def test_an_architecture_whose_attention_stays_closed_gives_the_same_tokens(sampler, monkeypatch):
    requests = make_requests()
    shared = sampler.generate(requests, SAMPLING)
    monkeypatch.setattr(module, "open_attention", lambda model: False)
    copied = sampler.generate(requests, SAMPLING)
    assert [c.ids for c in copied] == [c.ids for c in shared]
    for one, other in zip(copied, shared, strict=True):
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-5)


def test_nothing_asked_is_nothing_generated(sampler):
    assert sampler.generate([], SAMPLING) == []


def test_new_weights_are_served_and_seen_in_the_digest():
    served, trained = tiny_model(0), tiny_model(1)
    sampler = TransformersSampler(served, eos_id=EOS, pad_id=PAD)
    before = sampler.weights_digest()
    assert before == TransformersSampler(tiny_model(0), eos_id=EOS, pad_id=PAD).weights_digest()
    sampler.load_weights(trained.named_parameters(), version=3)
    assert sampler.version == 3
    expected = TransformersSampler(trained, eos_id=EOS, pad_id=PAD).generate(make_requests(), SAMPLING)
    assert sampler.generate(make_requests(), SAMPLING) == expected
    changed = dict(trained.named_parameters())
    with torch.no_grad():
        changed["model.layers.1.mlp.down_proj.weight"][0, 0] += 1e-3
    assert sampler.weights_digest() != before
    after = sampler.weights_digest()
    sampler.load_weights(changed.items(), version=4)
    assert sampler.weights_digest() != after


def test_unknown_and_missing_tensors_are_named():
    sampler = TransformersSampler(tiny_model(), eos_id=EOS, pad_id=PAD)
    weights = dict(tiny_model(1).named_parameters())
    with pytest.raises(WeightSyncError, match=r"no tensor 'lm_head\.extra'"):
        sampler.load_weights((weights | {"lm_head.extra": torch.zeros(1)}).items(), version=1)
    del weights["model.norm.weight"]
    with pytest.raises(WeightSyncError, match=r"no new weights were sent for \['model\.norm\.weight'\]"):
        sampler.load_weights(weights.items(), version=1)
    assert sampler.version == 0


def test_a_tensor_of_another_shape_is_named_and_not_stretched():
    sampler = TransformersSampler(tiny_model(), eos_id=EOS, pad_id=PAD)
    weights = dict(tiny_model(1).named_parameters())
    weights["model.norm.weight"] = torch.ones(1)
    with pytest.raises(WeightSyncError, match=r"model\.norm\.weight.*\(1,\).*\(48,\)"):
        sampler.load_weights(weights.items(), version=1)
