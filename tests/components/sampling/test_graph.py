"""Steps that are captured and replayed draw what the eager loop draws. A recorder stands for CUDA's graphs."""

import logging
import random

import pytest
import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

import r1flow.components.sampling.bucket as bucket
import r1flow.components.sampling.transformers as module
from r1flow.components.core.models import BUILTIN, load_model
from r1flow.components.sampling.base import Request, Sampling
from r1flow.components.sampling.transformers import TransformersSampler
from tests.fakes.recorded import RecordedGraphs
from tests.fakes.tiny import EOS, PAD, tiny_model

MOST = 30


def random_qwen2():
    torch.manual_seed(1)
    config = Qwen2Config(
        vocab_size=40,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
        initializer_range=0.3,
        tie_word_embeddings=False,
    )
    return Qwen2ForCausalLM(config).eval()


MODELS = {"tiny-base": lambda: load_model(BUILTIN["tiny-base"]), "qwen2": random_qwen2}


@pytest.fixture(scope="module", params=MODELS)
def model(request):
    torch.set_num_threads(1)
    return MODELS[request.param]()


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Buckets of 4, 8, 16 and 30 columns; rows leave by twos."""
    monkeypatch.setattr(bucket, "FIRST", 4)
    monkeypatch.setattr(module, "FEWER_ROWS", 2)


def make_requests(num_prompts=6, samples=3, longest=9):
    rng = random.Random(7)
    prompts = [tuple(rng.randrange(2, 40) for _ in range(rng.randint(1, longest))) for _ in range(num_prompts)]
    return [Request(prompt, seed=100 * i + s) for i, prompt in enumerate(prompts) for s in range(samples)]


def both(model, requests, sampling, look_every=4):
    """What the eager loop and what replayed steps draw, of whom the latter tells, and the graphs."""
    sampler = TransformersSampler(model, eos_id=EOS, pad_id=PAD, look_every=look_every)
    eager, told = sampler.generate(requests, sampling), []
    sampler.graphs = RecordedGraphs()
    replayed = sampler.generate(requests, sampling, finished=lambda row, ids: told.append((row, ids)))
    return eager, replayed, told, sampler.graphs


def assert_same(ours, theirs):
    for one, other in zip(ours, theirs, strict=True):
        assert (one.ids, one.finished) == (other.ids, other.finished)
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-5)


@pytest.mark.parametrize(
    ("sampling", "look_every"),
    [(Sampling(MOST, 1.3), 1), (Sampling(MOST, 1.3), 4), (Sampling(MOST, 1.5, 0.9), 7), (Sampling(MOST, 0.0), 4)],
)
def test_replayed_steps_draw_what_eager_steps_draw(model, sampling, look_every):
    eager, replayed, told, graphs = both(model, make_requests(), sampling, look_every)
    assert_same(replayed, eager)
    assert sorted(told) == sorted((row, c.ids) for row, c in enumerate(eager) if c.finished)
    assert graphs.replays > graphs.captures


def test_rows_end_within_a_bucket_and_leave(model, monkeypatch):
    sizes, select = [], bucket.BucketPast.select_rows
    monkeypatch.setattr(
        bucket.BucketPast,
        "select_rows",
        lambda self, rows: (sizes.append((len(rows), self.capacity)), select(self, rows)),
    )
    eager, replayed, _, _ = both(model, make_requests(12, 4), Sampling(MOST, 1.3), 1)
    assert_same(replayed, eager)
    assert len({c.finished for c in eager}) == 2
    assert sizes
    assert all(rows <= 24 for rows, _ in sizes)


@pytest.mark.parametrize("requests", [make_requests(1, 1), make_requests(1, 5), make_requests(5, 1, longest=1)])
def test_one_row_one_prompt_and_prompts_of_one_length(model, requests):
    eager, replayed, _, _ = both(model, requests, Sampling(MOST, 1.3))
    assert_same(replayed, eager)


def test_a_shape_is_captured_once_behind_a_step_that_warms_it_up(monkeypatch):
    monkeypatch.setattr(module, "FEWER_ROWS", 100)
    endless = TransformersSampler(random_qwen2(), eos_id=40, pad_id=PAD)
    endless.graphs = RecordedGraphs()
    endless.generate(make_requests(), Sampling(MOST))
    buckets = 4
    assert endless.graphs.captures == buckets
    assert endless.graphs.replays == MOST - 1 - buckets  # the first token is the prompt's pass


@pytest.mark.parametrize("most", [1, 2, 3])
def test_few_tokens_need_no_graph_or_one(model, most):
    eager, replayed, _, graphs = both(model, make_requests(), Sampling(most, 1.3))
    assert_same(replayed, eager)
    assert graphs.captures == (most == 3)


def test_new_weights_are_seen():
    served = tiny_model(0)
    sampler = TransformersSampler(served, eos_id=EOS, pad_id=PAD)
    sampler.graphs = RecordedGraphs()
    requests, sampling = make_requests(), Sampling(MOST)
    before = sampler.generate(requests, sampling)
    sampler.load_weights(tiny_model(1).named_parameters(), version=1)
    after = sampler.generate(requests, sampling)
    assert_same(after, TransformersSampler(served, eos_id=EOS, pad_id=PAD).generate(requests, sampling))
    assert [c.ids for c in after] != [c.ids for c in before]


def test_a_step_that_asks_the_device_is_computed_as_it_is_and_said_once(model, monkeypatch, caplog):
    forward = TransformersSampler._forward
    asking = lambda self, ids, *rest, **more: (int(ids.max()), forward(self, ids, *rest, **more))[1]  # noqa: E731
    monkeypatch.setattr(TransformersSampler, "_forward", asking)
    sampler = TransformersSampler(model, eos_id=EOS, pad_id=PAD)
    requests, sampling = make_requests(), Sampling(MOST, 1.3)
    eager = sampler.generate(requests, sampling)
    sampler.graphs = RecordedGraphs()
    with caplog.at_level(logging.WARNING):
        assert_same(sampler.generate(requests, sampling), eager)
        assert_same(sampler.generate(requests, sampling), eager)
    assert sampler.graphs.captures == 1
    assert [r.message for r in caplog.records if "CUDA graph" in r.message] == [
        "the decode step cannot be captured as a CUDA graph: sampling stays slow"
    ]


def test_an_architecture_whose_attention_stays_closed_is_not_captured(model, monkeypatch):
    monkeypatch.setattr(module, "open_attention", lambda model: False)
    eager, replayed, _, graphs = both(model, make_requests(), Sampling(MOST, 1.3))
    assert_same(replayed, eager)
    assert graphs.captures == 0
