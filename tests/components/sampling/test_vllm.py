"""vLLM keeps the Sampler contract: log-probabilities, ends, seeds, and weights that are really served."""

import os

import psutil
import pytest
import torch
from torch import nn
from transformers import Qwen2Config, Qwen2ForCausalLM

from r1flow.components.core.errors import ConfigError, WeightSyncError
from r1flow.components.core.head import keep_to
from r1flow.components.data.tinyworld.model import build_model, build_tokenizer
from r1flow.components.sampling.base import Request, Sampling
from r1flow.components.sampling.digest import tensors_digest
from r1flow.components.sampling.proof import model_logprobs, prove_weights
from r1flow.components.sampling.remote import RemoteSampler
from r1flow.components.sampling.server import SamplerSpec
from r1flow.components.sampling.transformers import TransformersSampler
from tests.fakes.tiny import EOS, PAD, VOCAB, plain_logprobs

pytestmark = pytest.mark.extra
SQUARE = "model.layers.1.self_attn.o_proj.weight"
LONG = tuple(2 + i % 37 for i in range(70))  # two blocks of the prefix cache and a rest


def make_model(seed):
    """Tied, with square matrices; sharp enough that wrong weights show, and apt to end."""
    torch.manual_seed(seed)
    model = build_model("base", VOCAB, eos_id=EOS, pad_id=PAD).eval()
    with torch.no_grad():
        model.get_input_embeddings().weight.mul_(3.0)
        for name, parameter in model.named_parameters():
            if "norm" in name:
                parameter.add_(0.1 * torch.randn_like(parameter))
    return model


@pytest.fixture(scope="module")
def sampler(tmp_path_factory):
    from r1flow.components.sampling.vllm import VllmSampler

    directory = tmp_path_factory.mktemp("model")
    make_model(0).save_pretrained(directory)
    build_tokenizer("").save_pretrained(directory)
    torch.set_num_threads(1)
    sampler = VllmSampler(directory, eos_id=EOS)
    yield sampler
    sampler.close()


def load(sampler, model, version):
    sampler.load_weights(model.named_parameters(), version)


def prove(sampler, model, version):
    return prove_weights(sampler, model.named_parameters(), version, logprobs=model_logprobs(model), prompt_ids=LONG)


def requests(num=24):
    prompts = [LONG[: 1 + 23 * (i % 4)] for i in range(num)]
    return [Request(prompt, 2**64 - 1 - i) for i, prompt in enumerate(prompts)]


@pytest.mark.parametrize("sampling", [Sampling(20, 1.0), Sampling(20, 0.7), Sampling(20, 1.5, 0.6), Sampling(20, 0.0)])
def test_log_probabilities_are_the_trainers_at_the_sampling_temperature_before_any_cut(sampler, sampling):
    model = make_model(1)
    load(sampler, model, 1)
    for request, completion in zip(requests(), sampler.generate(requests(), sampling), strict=True):
        expected = plain_logprobs(model, request.prompt_ids, completion.ids, temperature=sampling.temperature or 1.0)
        assert completion.logprobs == pytest.approx(expected, abs=2e-5)


def test_a_nucleus_keeps_what_is_drawn_inside_it(sampler):
    model = make_model(1)
    load(sampler, model, 1)
    for request, completion in zip(requests(), sampler.generate(requests(), Sampling(8, 1.0, 0.3)), strict=True):
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([[*request.prompt_ids, *completion.ids]])).logits[0]
        for i, token in enumerate(completion.ids):
            probs = logits[len(request.prompt_ids) - 1 + i].softmax(-1)
            assert float(probs[probs > probs[token] * (1 + 1e-5)].sum()) < 0.3 + 1e-4


def test_completions_end_with_the_end_token_or_at_the_limit(sampler):
    completions = sampler.generate(requests(96), Sampling(24, 2.0))
    finished = [c for c in completions if c.finished]
    assert 0 < len(finished) < len(completions)
    assert all(c.ids[-1] == EOS and EOS not in c.ids[:-1] for c in finished)
    assert all(len(c.ids) == 24 and EOS not in c.ids for c in completions if not c.finished)


def test_those_that_end_are_told_of_and_the_samples_of_a_seed_are_its_own(sampler):
    told = {}
    together = sampler.generate(requests(), Sampling(24, 2.0), finished=told.__setitem__)
    assert told == {i: c.ids for i, c in enumerate(together) if c.finished}
    alone = [sampler.generate([request], Sampling(24, 2.0))[0].ids for request in requests()[:6]]
    assert alone == [c.ids for c in together[:6]]
    same_prompt = sampler.generate([Request(LONG, seed) for seed in range(16)], Sampling(24, 2.0))
    assert len({c.ids for c in same_prompt}) > 12


def test_more_prompt_tokens_than_a_step_takes_are_sampled_all_the_same(sampler):
    many = [Request(tuple(2 + (i * j + j) % 37 for j in range(100)), i) for i in range(2, 62)]
    assert sum(len(request.prompt_ids) for request in many) > 4096
    together = sampler.generate(many, Sampling(4, 2.0))
    alone = sampler.generate(many[-3:], Sampling(4, 2.0))
    assert [c.ids for c in alone] == [c.ids for c in together[-3:]]


def test_the_prefix_cache_of_old_weights_is_not_used(sampler):
    load(sampler, make_model(1), 1)
    sampler.generate([Request(LONG, 1)], Sampling(4))
    model = make_model(2)
    load(sampler, model, 2)
    completion = sampler.generate([Request(LONG, 1)], Sampling(4))[0]
    assert completion.logprobs == pytest.approx(plain_logprobs(model, LONG, completion.ids), abs=2e-5)


def test_the_digest_is_over_what_is_served_and_equals_the_trainers(sampler):
    model = make_model(3)
    with torch.no_grad():
        model.get_parameter(SQUARE)[0] = -0.0
    load(sampler, model, 8)
    digest = tensors_digest(model.named_parameters())
    assert sampler.weights_digest() == digest
    proof = prove(sampler, model, 8)
    assert (proof.version, proof.digest) == (8, digest)
    assert proof.mismatch < 2e-5
    with torch.no_grad():  # a step of the optimizer writes into the very tensors that were sent
        for parameter in model.parameters():
            parameter.add_(1.0)
    assert sampler.weights_digest() == digest


def reload_raw(sampler, tensors):
    """vLLM's own interface, without what our sampler adds."""
    sampler._engine.collective_rpc("reload_weights", kwargs={"weights_iterator": iter(tensors.items())})
    sampler._engine.reset_prefix_cache()


def test_a_tied_head_that_was_not_sent_is_caught(sampler):
    load(sampler, make_model(1), 1)
    model = make_model(4)
    reload_raw(sampler, dict(model.named_parameters()))
    sampler._version = 2
    served = dict(sampler._model.named_parameters(remove_duplicate=False))
    assert torch.equal(served["lm_head.weight"][:VOCAB], model.lm_head.weight)  # its parameters tell nothing
    with pytest.raises(WeightSyncError, match=r"trainer's lm_head\.weight$"):
        prove(sampler, model, 2)


def test_a_tensor_left_out_is_caught_by_the_sampler_and_by_the_proof(sampler):
    load(sampler, make_model(1), 1)
    model = make_model(4)
    rest = {name: p for name, p in model.named_parameters() if name != SQUARE}
    with pytest.raises(WeightSyncError, match=SQUARE):
        sampler.load_weights(rest.items(), 2)
    assert sampler.version == 1
    reload_raw(sampler, rest | {"lm_head.weight": model.lm_head.weight})
    sampler._version = 2
    with pytest.raises(WeightSyncError, match=f"trainer's {SQUARE}$"):
        prove(sampler, model, 2)


def test_a_transposed_tensor_is_caught(sampler):
    model = make_model(4)
    sent = dict(model.named_parameters())
    sampler.load_weights((sent | {SQUARE: sent[SQUARE].T}).items(), 2)
    with pytest.raises(WeightSyncError, match=f"trainer's {SQUARE}$"):
        prove(sampler, model, 2)
    down = SQUARE.replace("self_attn.o_proj", "mlp.down_proj")
    with pytest.raises(WeightSyncError, match=rf"{down}: \(256, 64\) was sent, \(64, 256\) is served"):
        sampler.load_weights((sent | {down: sent[down].T}).items(), 3)


def test_a_stale_version_is_caught(sampler):
    model = make_model(4)
    load(sampler, model, 2)
    with pytest.raises(WeightSyncError, match="serves version 2, the trainer is at 3"):
        prove(sampler, model, 3)


def test_an_engine_that_failed_halfway_does_not_sample_until_it_has_weights_again(sampler, monkeypatch):
    model = make_model(5)
    monkeypatch.setattr("r1flow.components.sampling.vllm.sampler.HEAD", "no.such.tensor")
    with pytest.raises(WeightSyncError, match=r"could not load version 2: ValueError.*no module or parameter"):
        load(sampler, model, 2)
    with pytest.raises(WeightSyncError, match="load the weights again"):
        sampler.generate(requests(1), Sampling(2))
    monkeypatch.undo()
    load(sampler, model, 3)
    prove(sampler, model, 3)


def test_what_vllm_would_alter_in_silence_is_refused(sampler):
    with pytest.raises(ConfigError, match="exceed the model's 128 positions"):
        sampler.generate([Request(LONG, 0)], Sampling(59))
    assert len(sampler.generate([Request(LONG, 0)], Sampling(58, 0.5))) == 1
    for temperature in (0.005, 2.5):
        with pytest.raises(ConfigError, match=f"^temperature {temperature}: "):
            sampler.generate([Request(LONG, 0)], Sampling(4, temperature))


def test_a_batch_that_was_broken_off_leaves_nothing_for_the_next(sampler):
    load(sampler, make_model(1), 1)

    def fail(index, ids):
        raise KeyError(index)

    with pytest.raises(KeyError):
        sampler.generate(requests(48), Sampling(24, 2.0), finished=fail)
    assert not sampler._engine.has_unfinished_requests()
    load(sampler, make_model(1), 2)
    assert len(sampler.generate(requests(4), Sampling(4))) == 4


def test_this_process_keeps_its_threads_and_listens_on_loopback_alone(sampler):
    torch.set_num_threads(2)
    assert torch.get_num_threads() == 2
    torch.set_num_threads(1)
    listening = {c.laddr.ip for c in psutil.Process().net_connections() if c.status == psutil.CONN_LISTEN}
    assert listening <= {"127.0.0.1", "::1"}
    assert "GLOO_SOCKET_IFNAME" not in os.environ


ENDS = (7, 11)


@pytest.fixture(scope="module")
def grouped(tmp_path_factory):
    """What the tiny model lacks: an untied head, fewer key heads than query heads, biases, ids that its tokenizer does not have,
    and a config whose end token is none of those that are asked for."""
    directory = tmp_path_factory.mktemp("grouped")
    torch.manual_seed(3)
    config = Qwen2Config(
        vocab_size=70, hidden_size=128, intermediate_size=192, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=128, tie_word_embeddings=False, dtype="float32", eos_token_id=EOS,
    )  # fmt: skip
    model = Qwen2ForCausalLM(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                nn.init.normal_(parameter)
    model.save_pretrained(directory)
    build_tokenizer("").save_pretrained(directory)
    keep_to(model, range(VOCAB))
    return model, directory


@pytest.fixture(scope="module")
def remote(grouped, tmp_path_factory):
    spec = SamplerSpec(kind="vllm", model=grouped[1], eos_id=ENDS, pad_id=PAD)
    with RemoteSampler(spec, tmp_path_factory.mktemp("sampler")) as sampler:
        yield sampler


def test_in_a_process_of_its_own_with_another_architecture(grouped, remote):
    model, _ = grouped
    assert remote.weights_digest() == tensors_digest(model.named_parameters())
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    load(remote, model, 4)
    proof = prove(remote, model, 4)
    assert proof.mismatch < 1e-4


@pytest.mark.parametrize("sampling", [Sampling(30, 2.0), Sampling(30, 1.0, 0.9), Sampling(30, 0.0)])
def test_ids_that_the_tokenizer_does_not_have_are_neither_drawn_nor_counted(grouped, remote, sampling):
    model, _ = grouped
    load(remote, model, 5)
    own = model_logprobs(model)
    for request, completion in zip(requests(), remote.generate(requests(), sampling), strict=True):
        assert max(completion.ids) < VOCAB
        if sampling.temperature == 1:
            assert completion.logprobs == pytest.approx(own(request.prompt_ids, completion.ids), abs=2e-5)


def test_completions_end_at_any_of_several_tokens_and_at_no_other(remote):
    completions = remote.generate(requests(96), Sampling(24, 2.0))
    finished = [c for c in completions if c.finished]
    assert {c.ids[-1] for c in finished} == set(ENDS)
    assert not any(set(ENDS) & set(c.ids[:-1]) for c in completions)
    assert any(EOS in c.ids[:-1] for c in completions)
    assert all(len(c.ids) == 24 for c in completions if not c.finished)


def test_a_context_overrun_is_refused_as_every_sampler_refuses_it(grouped, remote):
    asked = [Request(LONG, 0)], Sampling(59)
    with pytest.raises(ConfigError) as theirs:
        remote.generate(*asked)
    with pytest.raises(ConfigError) as ours:
        TransformersSampler(grouped[0], eos_id=ENDS, pad_id=PAD).generate(*asked)
    assert str(theirs.value) == str(ours.value)


def test_the_options_for_a_gpu_are_vllms_own(tmp_path):
    """No GPU is needed to see that vLLM knows every name; what they do there has not been seen."""
    from vllm import EngineArgs

    from r1flow.components.sampling.vllm.engine import on_cuda

    options = EngineArgs(model=str(tmp_path), **on_cuda(memory=0.5, colocated=True))
    assert (options.enable_sleep_mode, options.enforce_eager) == (True, False)
    assert options.gpu_memory_utilization == 0.5
