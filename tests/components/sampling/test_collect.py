"""Completions of problems with their rewards: in the rows' order, from the seeds given, decoded once, scored ahead."""

from collections import Counter

import pytest

from r1flow.components.core.schema import Row
from r1flow.components.core.seeds import derive_seed
from r1flow.components.rewards.language import AlphabetLanguage
from r1flow.components.rewards.score import InProcess, Rules, Scorer
from r1flow.components.sampling.base import Request, Sampling
from r1flow.components.sampling.collect import collect
from r1flow.components.sampling.transformers import TransformersSampler
from tests.fakes.tiny import PAD, tiny_model

ROWS = [Row(id=f"r{i}", prompt=str(i), answer="0", verifier="math", skill="sum", source="test") for i in range(3)]
SAMPLES = 4
SEEDS = [derive_seed(0, row.id, sample) for row in ROWS for sample in range(SAMPLES)]
SAMPLING = Sampling(max_tokens=30)
END = 10  # a token that this model draws often, so that completions end one after another


class Remembers(InProcess):
    """Verdicts in this process; what was to begin early is remembered."""

    def __init__(self):
        self.early = []

    def ahead(self, completion, row):
        self.early.append((row.id, completion))


class TellsEverySecond(TransformersSampler):
    """A sampler need not tell of every completion that has ended."""

    def generate(self, requests, sampling, *, finished=None):
        return super().generate(
            requests, sampling, finished=lambda index, ids: finished(index, ids) if index % 2 else None
        )


def encode(row):
    return (int(row.prompt) + 2, 10)


def make(kind=TransformersSampler, rows=ROWS, seeds=SEEDS):
    decoded, judge = [], Remembers()

    def decode(ids):
        decoded.append(tuple(ids))
        return " ".join(map(str, ids))

    sampler = kind(tiny_model(), eos_id=END, pad_id=PAD)
    sampler.load_weights(sampler.model.named_parameters(), version=7)
    scorer = Scorer(Rules({"accuracy": 1.0}, "think", AlphabetLanguage("0123456789", "abc")), judge)
    rollouts = collect(sampler, scorer, rows, SAMPLING, samples=SAMPLES, seeds=seeds, encode=encode, decode=decode)
    return rollouts, decoded, judge.early


def test_every_row_has_its_samples_from_the_seeds_that_were_given():
    rollouts, _, _ = make()
    assert [(r.prompt_id, r.sample) for r in rollouts] == [(row.id, i) for row in ROWS for i in range(SAMPLES)]
    plain = TransformersSampler(tiny_model(), eos_id=END, pad_id=PAD)
    requests = [Request(encode(ROWS[i // SAMPLES]), seed) for i, seed in enumerate(SEEDS)]
    for rollout, completion in zip(rollouts, plain.generate(requests, SAMPLING), strict=True):
        assert tuple(rollout.ids) == tuple(completion.ids)
        assert rollout.finished == completion.finished
        assert rollout.text == " ".join(map(str, rollout.ids))
    assert {r.policy_version for r in rollouts} == {7}
    assert {r.reward for r in rollouts} <= {0.0, 1.0}


@pytest.mark.parametrize("kind", [TransformersSampler, TellsEverySecond])
def test_every_completion_is_decoded_once_whether_the_sampler_tells_of_it_or_not(kind):
    rollouts, decoded, early = make(kind)
    assert Counter(decoded) == Counter(tuple(r.ids) for r in rollouts)
    told = [r for i, r in enumerate(rollouts) if i % 2 or kind is TransformersSampler]
    assert Counter(early) <= Counter((r.prompt_id, r.text) for r in told)
    assert early


def test_without_rows_nothing_is_sampled():
    assert make(rows=[], seeds=[]) == ([], [], [])


def test_a_seed_too_few_is_refused():
    with pytest.raises(ValueError, match="shorter"):
        make(seeds=SEEDS[1:])
