"""A snapshot keeps the policy as it was, and says beforehand what any token behind its probe would have as log p."""

import pytest
import torch

from r1flow.components.core.errors import WeightSyncError
from r1flow.components.sampling.digest import tensors_digest
from r1flow.components.sampling.proof import TOKENS
from r1flow.components.sampling.transformers import TransformersSampler
from r1flow.components.training.engines.single import SingleEngine
from r1flow.components.training.rl.snapshot import serve_snapshot, take_snapshot
from tests.fakes.tiny import EOS, PAD, VOCAB, plain_logprobs, tiny_model

PROMPT, IDS = (5, 6, 7), (8, 9, 10, EOS)


def snapshot_of(model, version=3, ids=IDS):
    return take_snapshot(SingleEngine(model, lambda step: 0.0), version, PROMPT, ids)


def test_every_next_token_has_the_log_probability_that_a_plain_pass_gives_it():
    model = tiny_model(1)
    snapshot = snapshot_of(model)
    assert snapshot.prefixes == (PROMPT, (*PROMPT, 8), (*PROMPT, 8, 9), (*PROMPT, 8, 9, 10), (*PROMPT, 8, 9, 10, EOS))
    assert snapshot.next_logp.shape == (5, VOCAB)
    for prefix in snapshot.prefixes:
        for token in (0, 1, 17, VOCAB - 1):
            assert snapshot.logprobs(prefix, (token,)) == pytest.approx(
                plain_logprobs(model, prefix, [token]), abs=1e-5
            )


def test_the_probe_is_no_longer_than_it_has_to_be():
    assert len(snapshot_of(tiny_model(), ids=tuple(range(2, 40))).prefixes) == TOKENS
    assert snapshot_of(tiny_model(), ids=(EOS,)).prefixes == (PROMPT, (*PROMPT, EOS))


def test_a_snapshot_does_not_move_with_the_policy():
    model = tiny_model(1)
    snapshot, before = snapshot_of(model), tensors_digest(model.named_parameters())
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1.0)
    assert tensors_digest(snapshot.tensors.items()) == before


def test_a_sampler_that_is_late_serves_the_snapshot_with_its_proof():
    model, sampler = tiny_model(1), TransformersSampler(tiny_model(0), eos_id=EOS, pad_id=PAD)
    snapshot = snapshot_of(model)
    with torch.no_grad():
        model.model.norm.weight.add_(1.0)  # the trainer has gone on
    proof = serve_snapshot(sampler, snapshot, torch.float32)
    assert (proof.version, sampler.version, proof.tokens) == (3, 3, 5)
    assert proof.digest == sampler.weights_digest() == tensors_digest(tiny_model(1).named_parameters())
    assert proof.mismatch < 1e-5


def test_a_sampler_that_computes_something_else_than_it_shows_is_caught(monkeypatch):
    sampler = TransformersSampler(tiny_model(0), eos_id=EOS, pad_id=PAD)
    snapshot = snapshot_of(tiny_model(1))
    stale = TransformersSampler(tiny_model(0), eos_id=EOS, pad_id=PAD)
    monkeypatch.setattr(sampler, "generate", stale.generate)
    with pytest.raises(WeightSyncError, match="log-probabilities differ"):
        serve_snapshot(sampler, snapshot, torch.float32)
