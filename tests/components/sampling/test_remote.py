"""The sampler's process says what the sampler inside this one says, and dies with whoever started it."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from r1flow.components.core.errors import ConfigError, ModelError, StageFailed, WeightSyncError
from r1flow.components.data.tinyworld.model import build_tokenizer
from r1flow.components.processes.preload import python_environment
from r1flow.components.sampling.base import Completion, Request, Sampling
from r1flow.components.sampling.exchange import (
    read_completions,
    read_requests,
    read_weights,
    write_completions,
    write_requests,
    write_weights,
)
from r1flow.components.sampling.proof import model_logprobs, prove_weights
from r1flow.components.sampling.remote import RemoteSampler
from r1flow.components.sampling.server import SamplerSpec, open_sampler
from r1flow.components.sampling.transformers import TransformersSampler
from tests.fakes.tiny import EOS, PAD, tiny_model
from tests.processes import lives, wait_until

SAMPLING = Sampling(max_tokens=12, temperature=1.3)
REQUESTS = [Request((5, 6, 7 + i % 3), 2**64 - 1 - i) for i in range(9)]
END_S = 20.0


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    directory = tmp_path_factory.mktemp("model")
    tiny_model(0).save_pretrained(directory)
    build_tokenizer("").save_pretrained(directory)
    return SamplerSpec(kind="transformers", model=directory, eos_id=EOS, pad_id=PAD)


@pytest.fixture(scope="module")
def remote(spec, tmp_path_factory):
    with RemoteSampler(spec, tmp_path_factory.mktemp("sampler")) as sampler:
        yield sampler
    assert sampler._process.returncode == 1  # ended by its lifeline, without a kill
    sampler.close()


def local(seed=0):
    return TransformersSampler(tiny_model(seed), eos_id=EOS, pad_id=PAD)


def test_completions_are_bit_for_bit_those_of_the_sampler_in_this_process(remote):
    assert remote.generate(REQUESTS, SAMPLING) == local().generate(REQUESTS, SAMPLING)


def test_completions_that_end_early_are_told_of_as_they_end(remote):
    told = {}
    completions = remote.generate(REQUESTS, Sampling(64, 3.0), finished=told.__setitem__)
    assert told == {i: c.ids for i, c in enumerate(completions) if c.finished}
    assert told


def test_new_weights_are_served_and_proved(remote):
    trained = tiny_model(7)
    remote.load_weights(trained.named_parameters(), 5)
    proof = prove_weights(remote, trained.named_parameters(), 5, logprobs=model_logprobs(trained), prompt_ids=(5, 6, 7))
    assert (remote.version, proof.version) == (5, 5)
    assert remote.generate(REQUESTS, SAMPLING) == local(7).generate(REQUESTS, SAMPLING)


def test_an_error_over_there_is_raised_here_and_the_process_goes_on(remote):
    version = remote.version
    with pytest.raises(WeightSyncError, match=r"no tensor 'foo'"):
        remote.load_weights([("foo", tiny_model(0).lm_head.weight)], 6)
    assert remote.version == version
    assert len(remote.generate(REQUESTS[:1], SAMPLING)) == 1


def test_no_file_is_left_after_a_call(remote):
    remote.generate(REQUESTS, SAMPLING)
    assert {path.name for path in remote._work.iterdir()} == {"spec.json", "log.txt"}


def test_a_process_that_is_killed_is_an_error_with_the_end_of_its_log(spec, tmp_path):
    with RemoteSampler(spec, tmp_path) as sampler:
        os.kill(sampler.pid, signal.SIGKILL)
        with pytest.raises(StageFailed, match=r"status -9[\s\S]*log"):
            sampler.generate(REQUESTS, SAMPLING)
        with pytest.raises(StageFailed, match="has ended"):
            sampler.generate(REQUESTS, SAMPLING)


@pytest.mark.long
def test_a_call_past_its_time_is_an_error_and_leaves_no_process(spec, tmp_path):
    sampler = RemoteSampler(spec, tmp_path, call_s=0.2)
    os.kill(sampler.pid, signal.SIGSTOP)
    with pytest.raises(StageFailed, match="did not answer in time"):
        sampler.weights_digest()
    assert not lives(sampler.pid)


@pytest.mark.long
def test_closing_ends_a_call_that_a_thread_is_in(spec, tmp_path):
    sampler = RemoteSampler(spec, tmp_path)
    with ThreadPoolExecutor(1) as thread:
        batch = thread.submit(sampler.generate, [Request((5, 6), i) for i in range(512)] * 200, Sampling(100, 1.0))
        wait_until(lambda: any(path.name.endswith("requests.parquet") for path in tmp_path.iterdir()), END_S)
        sampler.close()
        with pytest.raises(StageFailed, match="the sampler's process ended"):
            batch.result(END_S)
        with pytest.raises(StageFailed, match="has ended"):
            thread.submit(sampler.weights_digest).result(END_S)
    assert not lives(sampler.pid)


def test_a_sampler_that_cannot_be_opened_says_why(spec, tmp_path):
    with pytest.raises(ModelError, match="absent"):
        RemoteSampler(spec.model_copy(update={"model": tmp_path / "absent"}), tmp_path)


def test_vllm_where_it_is_not_installed_is_refused_with_the_mend(spec, monkeypatch):
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(ConfigError, match=r"run\.sampler: vllm cannot be imported.*make cpu"):
        open_sampler(spec.model_copy(update={"kind": "vllm"}))


@pytest.mark.long
def test_it_dies_with_its_client_in_the_middle_of_a_batch(spec, tmp_path):
    code = f"""
from pathlib import Path
from r1flow.components.sampling.remote import RemoteSampler
from r1flow.components.sampling.server import SamplerSpec
from r1flow.components.sampling.base import Request, Sampling
sampler = RemoteSampler(SamplerSpec.model_validate_json({spec.model_dump_json()!r}), Path({str(tmp_path)!r}))
print(sampler.pid, flush=True)
sampler.generate([Request((5, 6), i) for i in range(512)] * 200, Sampling(100, 1.0))
"""
    client = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=python_environment())
    pid = int(client.stdout.readline())
    wait_until(lambda: any(path.name.endswith("requests.parquet") for path in tmp_path.iterdir()), END_S)
    assert lives(pid)
    client.kill()
    client.wait(END_S)
    client.stdout.close()
    wait_until(lambda: not lives(pid), END_S)


def test_files_give_back_what_was_written(tmp_path):
    write_requests(tmp_path / "r", REQUESTS)
    assert read_requests(tmp_path / "r") == REQUESTS
    completions = [Completion((1, 2), (-0.1, -1e-30), True), Completion((3,), (float(-1 / 3),), False)]
    write_completions(tmp_path / "c", completions)
    assert read_completions(tmp_path / "c") == completions
    tensor = tiny_model(3).lm_head.weight
    write_weights(tmp_path / "w", [("a", tensor), ("b", tensor.T)])
    read = dict(read_weights(tmp_path / "w"))
    assert (read["a"] == tensor).all()
    assert (read["b"] == tensor.T).all()
    assert not list(tmp_path.glob("*.part"))
