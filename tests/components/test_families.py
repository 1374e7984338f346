"""Every family: sampler, trainer and SFT give a token the log-probability that the model's own plain forward gives it."""

import pytest
import torch

from r1flow.components.core.attention import PROVEN, caches_what_it_reads, open_attention
from r1flow.components.core.errors import ModelError
from r1flow.components.programs.prove_gradient import measure
from r1flow.components.sampling.base import Request, Sampling
from r1flow.components.sampling.probe import probe_sampling
from r1flow.components.sampling.transformers import TransformersSampler
from r1flow.components.training.checks.cases import Case
from r1flow.components.training.rl.forward import completion_logprobs
from r1flow.components.training.sft.example import Example
from r1flow.components.training.sft.loss import packed_nll, summed_nll
from tests.docs import family_table
from tests.fakes.families import EOS, FAMILIES, PAD, UNPROVEN, VOCAB, random_model
from tests.fakes.tiny import make_rollout, plain_logprobs

MOST = 1e-5
GRADIENT = 1e-5
REFUSED = {"mamba", "rwkv"}
PLAIN = ("bloom", "lfm2", "llama4_text")
PROMPTS = (tuple(range(2, 7)), tuple(range(7, 19)))
LENGTHS = (9, 3, 14, 6)


def rollouts():
    """Two of each prompt, longer and shorter than the window."""
    generator = torch.Generator().manual_seed(1)
    rows = [tuple(torch.randint(2, 60, (num,), generator=generator).tolist()) for num in LENGTHS]
    return [make_rollout(PROMPTS[index // 2], ids) for index, ids in enumerate(rows)]


def differences(family):
    """The greatest difference of a log-probability from the model's own, by path; SFT's as a share of the whole loss."""
    model, made = random_model(family), rollouts()
    own = torch.tensor([p for r in made for p in plain_logprobs(model, r.prompt_ids, r.ids)])
    found = {}
    with torch.no_grad():
        for path, packed in (("padded", False), ("packed", True)):
            got, _ = completion_logprobs(model, made, pad_id=PAD, temperature=1.0, packed=packed)
            found[path] = float((got.double() - own).abs().max())
        examples = [Example((*r.prompt_ids, *r.ids), len(r.prompt_ids)) for r in made]
        losses = {"sft": summed_nll(model, examples, pad_id=PAD)}
        if open_attention(model):
            losses["sft packed"] = packed_nll(model, examples)
    found |= {path: abs(float(loss + own.sum()) / float(own.sum())) for path, loss in losses.items()}
    sampler = TransformersSampler(model, eos_id=EOS, pad_id=PAD)
    requests = [Request(PROMPTS[row % 2], seed) for seed, row in enumerate((0, 1, 0, 1, 1))]
    done = sampler.generate(requests, Sampling(max_tokens=20, temperature=1.0))
    drawn = [plain_logprobs(model, r.prompt_ids, c.ids) for r, c in zip(requests, done, strict=True)]
    found["sampler"] = max(
        abs(a - b) for c, own in zip(done, drawn, strict=True) for a, b in zip(c.logprobs, own, strict=True)
    )
    return found


def fast_paths(family):
    """As the documentation's table names them."""
    model = random_model(family)
    return ", ".join(["packed"] * open_attention(model) + ["shared prompts"] * caches_what_it_reads(model))


def test_the_architectures_table_is_this_matrix():
    table = family_table()
    assert [(family, row["fast paths"]) for family, row in table.items()] == [
        (family, fast_paths(family)) for family in sorted(FAMILIES)
    ]
    assert all(float(row["nats"]) <= MOST for row in table.values())


@pytest.mark.parametrize("family", FAMILIES)
def test_all_paths_of_a_proven_family_agree_with_its_own_forward(family):
    assert open_attention(random_model(family))
    found = differences(family)
    assert "sft packed" in found
    assert max(found.values()) <= MOST, found


def test_what_is_proven_is_what_is_tested():
    assert frozenset(FAMILIES) == PROVEN


@pytest.mark.parametrize("family", sorted(set(UNPROVEN) - REFUSED))
def test_what_is_not_proven_takes_the_plain_path_and_agrees(family):
    assert not open_attention(random_model(family))
    found = differences(family)
    assert max(found.values()) <= MOST, found


@pytest.mark.parametrize("family", sorted(REFUSED))
def test_what_the_plain_path_cannot_do_is_refused_by_name(family):
    with pytest.raises(ModelError, match=f"models of type '{family}' cannot be sampled"):
        probe_sampling(random_model(family), range(VOCAB), eos_id=EOS, pad_id=PAD)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_probe_of_a_proven_family_passes(family):
    assert probe_sampling(random_model(family), range(VOCAB), eos_id=EOS, pad_id=PAD) <= MOST


@pytest.mark.parametrize("family", [*FAMILIES, *PLAIN])
def test_what_a_row_draws_depends_on_no_other_row(family):
    sampler = TransformersSampler(random_model(family), eos_id=EOS, pad_id=PAD)
    requests = [Request(PROMPTS[row % 2], seed) for seed, row in enumerate((0, 1, 1))]
    together = sampler.generate(requests, Sampling(max_tokens=12))
    assert [c.ids for c in together] == [sampler.generate([r], Sampling(max_tokens=12))[0].ids for r in requests]


@pytest.mark.parametrize("family", [*FAMILIES, *PLAIN])
def test_the_gradient_of_an_rl_step_is_the_exact_one(family, tmp_path):
    cases = [Case("grpo on-policy", 4, packed, None) for packed in (False, True)]
    errors = measure(lambda: random_model(family), cases, 0, tmp_path)
    assert max(errors.values()) <= GRADIENT, errors
