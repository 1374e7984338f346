"""The weight-sync proof passes on the trainer's weights and names what is wrong with any others."""

import pytest
import torch
from torch import nn

from r1flow.components.core.errors import WeightSyncError
from r1flow.components.sampling.digest import tensor_digests, tensors_digest
from r1flow.components.sampling.proof import model_logprobs, prove_weights
from r1flow.components.sampling.transformers import TransformersSampler
from tests.fakes.tiny import EOS, PAD, tiny_model

PROMPT = (5, 6, 7, 8, 9)
PROJECTION = "model.layers.0.self_attn.q_proj.weight"


@pytest.fixture
def trained():
    return tiny_model(1)


@pytest.fixture
def sampler(trained):
    """Another model than the trainer's, with the trainer's weights, at version 3."""
    sampler = TransformersSampler(tiny_model(0), eos_id=EOS, pad_id=PAD)
    sampler.load_weights(trained.named_parameters(), 3)
    return sampler


def prove(sampler, trained, version=3):
    return prove_weights(
        sampler, trained.named_parameters(), version, logprobs=model_logprobs(trained), prompt_ids=PROMPT
    )


def test_the_trainers_weights_pass_with_what_was_proved(sampler, trained):
    proof = prove(sampler, trained)
    assert proof.version == 3
    assert proof.digest == tensors_digest(trained.named_parameters()) == sampler.weights_digest()
    assert proof.mismatch < 1e-5
    assert proof.tokens >= 2


def test_a_stale_version_is_caught(sampler, trained):
    with pytest.raises(WeightSyncError, match="serves version 3, the trainer is at 4"):
        prove(sampler, trained, version=4)


def test_stale_weights_under_the_right_version_are_caught(trained):
    stale = TransformersSampler(tiny_model(0), eos_id=EOS, pad_id=PAD)
    stale._version = 3
    with pytest.raises(WeightSyncError, match=r"embed_tokens.* and \d+ more"):
        prove(stale, trained)


def test_a_tensor_that_was_left_out_is_refused_by_name(sampler, trained):
    rest = [(name, tensor) for name, tensor in trained.named_parameters() if name != PROJECTION]
    with pytest.raises(WeightSyncError, match=PROJECTION):
        sampler.load_weights(rest, 4)


@torch.no_grad()
def test_a_tensor_that_kept_its_old_values_is_named(sampler, trained):
    trained.get_parameter("model.norm.weight").mul_(1.001)
    with pytest.raises(WeightSyncError, match=r"trainer's model\.norm\.weight$"):
        prove(sampler, trained)


def test_a_transposed_tensor_is_refused_by_its_shape_and_named_where_the_shape_is_right(sampler, trained):
    sent = dict(trained.named_parameters())
    with pytest.raises(WeightSyncError, match=r"q_proj.*\(48, 64\) was sent, \(64, 48\)"):
        sampler.load_weights((sent | {PROJECTION: sent[PROJECTION].T}).items(), 4)
    sampler.load_weights((sent | {PROJECTION: sent[PROJECTION].T.reshape(64, 48)}).items(), 3)
    with pytest.raises(WeightSyncError, match=f"trainer's {PROJECTION}$"):
        prove(sampler, trained)


def test_a_tied_head_that_was_not_sent_is_named(sampler, trained):
    old = tiny_model(0).get_output_embeddings().weight
    sampler.model.lm_head.weight = nn.Parameter(old.detach().clone())  # as an engine does that unties it in silence
    with pytest.raises(WeightSyncError, match=r"trainer's lm_head\.weight$"):
        prove(sampler, trained)


class SaysTheRightDigest(TransformersSampler):
    """Its bookkeeping is right and its computation is not: what a packed copy of a tensor leads to."""

    def tensor_digests(self):
        return tensor_digests(tiny_model(1).named_parameters())


def test_wrong_log_probabilities_are_caught_where_every_digest_is_right(trained):
    liar = SaysTheRightDigest(tiny_model(0), eos_id=EOS, pad_id=PAD)
    liar._version = 3
    with pytest.raises(WeightSyncError, match=r"differ by \d\.\d+ nats"):
        prove(liar, trained)


@torch.no_grad()
def test_weights_that_are_not_numbers_do_not_pass(sampler, trained):
    trained.get_parameter("model.norm.weight").fill_(float("nan"))
    sampler.load_weights(trained.named_parameters(), 3)
    with pytest.raises(WeightSyncError, match="differ by nan nats"):
        prove(sampler, trained)


def test_a_sampler_that_cannot_tell_tensors_apart_is_judged_by_its_whole_digest(trained):
    class Opaque:
        version = 3

        def weights_digest(self):
            return "0" * 64

    with pytest.raises(WeightSyncError, match="digests differ"):
        prove(Opaque(), trained)


def test_a_digest_depends_on_name_shape_type_and_values_alone():
    tensor = torch.arange(6.0).reshape(2, 3)
    digest = tensors_digest([("a", tensor), ("b", torch.ones(1))])
    assert digest == tensors_digest([("b", torch.ones(1)), ("a", tensor.T.contiguous().T)])
    others = [("a", tensor.T), ("c", tensor), ("a", tensor.double()), ("a", tensor + 1)]
    assert all(digest != tensors_digest([other, ("b", torch.ones(1))]) for other in others)
    assert tensors_digest([("z", torch.tensor([-0.0]))]) == tensors_digest([("z", torch.tensor([0.0]))])
