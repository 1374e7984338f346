"""The Sampler contract on vLLM's engine, in this process."""

import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from r1flow.components.core.ends import end_ids
from r1flow.components.core.errors import ConfigError, WeightSyncError
from r1flow.components.core.models import known_ids, load_config, load_tokenizer
from r1flow.components.core.positions import known_positions
from r1flow.components.sampling.base import Completion, Finished, Request, Sampling
from r1flow.components.sampling.context import check_positions
from r1flow.components.sampling.digest import tensor_digests, tensors_digest
from r1flow.components.sampling.vllm.drawn import keep_to, report_before_the_cut
from r1flow.components.sampling.vllm.engine import on_cpu, on_cuda, start_engine, stop_engine
from r1flow.components.sampling.vllm.served import (
    HEAD,
    check_covered,
    checkpoint_shapes,
    embedding,
    has_head,
    served_tensors,
)
from r1flow.components.sampling.vllm_families import as_defined, refusal, unserved

MIN_TEMPERATURE = 0.01  # vLLM silently raises anything between this and 0
MAX_TEMPERATURE = 2.0  # and refuses anything beyond this
UNBOUNDED = 32768
"""Tokens that vLLM makes room for where the model has no bound of its own."""


class VllmSampler:
    """Serves the model of ``directory`` (safetensors) with vLLM; one at a time in a process.

    Completions end at ``eos_id``, or at any of several; drawn are the ids of the directory's tokenizer alone.

    One request per sample, with its own seed; the samples of a prompt share its cache in blocks of 32 tokens. The tokens
    of a seed are not those that another sampler draws from it.

    On ``device`` "cuda" it takes the share ``memory`` of the card; ``colocated`` with a trainer it sleeps after every batch
    (level 1: weights to CPU memory, cache discarded) and wakes for the next, or for weights. Written, not run for want of a GPU.
    """

    def __init__(
        self,
        directory: Path,
        *,
        eos_id: int | Sequence[int],
        dtype: str = "float32",
        device: str = "cpu",
        memory: float = 0.5,
        colocated: bool = True,
    ) -> None:
        config = load_config(directory)
        self.end_ids = end_ids(eos_id)
        self.max_length = known_positions(config) or UNBOUNDED
        self._dtype: torch.dtype = getattr(torch, dtype)
        self._tied = bool(config.tie_word_embeddings)
        self._shapes = checkpoint_shapes(directory, tied=self._tied)
        head_size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        self._sleeps = device == "cuda" and colocated
        self._asleep = False
        if device == "cpu" and (why := unserved(config)):
            raise ConfigError(refusal(why, str(directory)))
        if device == "cuda":
            place = on_cuda(memory=memory, colocated=colocated)
        else:
            heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
            kv_values = heads * head_size
            place = on_cpu(
                dtype=dtype, layers=config.num_hidden_layers, kv_values=kv_values, max_length=self.max_length
            )
        known = known_ids(load_tokenizer(directory))
        self._engine = start_engine(
            directory, dtype=dtype, max_length=self.max_length, place=place, config=as_defined(config)
        )
        self._engine.collective_rpc(report_before_the_cut)
        self._engine.collective_rpc(keep_to, args=(known, config.vocab_size))
        check_covered(self._model, self._shapes, tied=self._tied)
        self._version = 0
        self._broken = ""
        self._names = itertools.count()

    @property
    def version(self) -> int:
        return self._version

    @property
    def _model(self) -> Any:
        return self._engine.collective_rpc(lambda worker: worker.model_runner.get_model())[0]

    def generate(
        self, requests: Sequence[Request], sampling: Sampling, *, finished: Finished | None = None
    ) -> list[Completion]:
        """See :class:`r1flow.components.sampling.base.Sampler`. Raises :class:`ConfigError` for what vLLM would alter."""
        self._check(requests, sampling)
        self._wake()
        completions: dict[int, Completion] = {}
        waiting: dict[str, int] = {}
        try:
            for index, request in enumerate(requests):
                name = str(next(self._names))
                self._engine.add_request(
                    name, {"prompt_token_ids": list(request.prompt_ids)}, self._params(request.seed, sampling)
                )
                waiting[name] = index
            while waiting:
                for output in self._engine.step():
                    index = waiting.pop(output.request_id)
                    completions[index] = self._completion(output.outputs[0])
                    if finished is not None and completions[index].finished:
                        finished(index, completions[index].ids)
        finally:
            if waiting:  # an error: the next batch must not meet what is left of this one
                self._engine.abort_request(list(waiting))
            if self._sleeps:
                self._engine.sleep(level=1)
                self._asleep = True
        return [completions[index] for index in range(len(requests))]

    def load_weights(self, named_tensors: Iterable[tuple[str, Tensor]], version: int) -> None:
        """Serve these weights from now on, proved by reading every one of them back.

        A name or shape that the model lacks, a tensor left out, and one that vLLM took without serving it raise
        :class:`WeightSyncError`. A tied head is sent along: without it vLLM reports success and keeps the old one.
        """
        sent = {name: tensor.detach().to(self._dtype) for name, tensor in named_tensors}
        self._check_sent(sent)
        self._wake()
        model = self._model
        head = [(HEAD, sent[embedding(model)])] if self._tied and has_head(model) else []
        self._broken = f"an earlier load of weights, version {version}, has failed"
        try:
            self._engine.collective_rpc("reload_weights", kwargs={"weights_iterator": iter([*sent.items(), *head])})
        except Exception as error:  # an assertion, a shape, a name: all leave the engine with half of its weights
            raise WeightSyncError(f"vLLM could not load version {version}: {type(error).__name__}: {error}") from error
        if not self._engine.reset_prefix_cache():  # it holds keys and values of the old weights
            raise WeightSyncError("vLLM kept the prefix cache of the old weights: requests are still running")
        for name, served in self._served():
            if name not in sent:
                raise WeightSyncError(f"{name}: vLLM does not serve the tied embedding that was sent")
            if not torch.equal(served.cpu(), sent[name].cpu()):
                raise WeightSyncError(f"{name}: vLLM does not serve what was sent, and reported success")
        self._broken = ""
        self._version = version

    def _wake(self) -> None:
        if self._asleep:
            self._engine.wake_up()
            self._asleep = False

    def weights_digest(self) -> str:
        return tensors_digest(self._served())

    def tensor_digests(self) -> dict[str, str]:
        """The digest of each tensor that is served."""
        return tensor_digests(self._served())

    def close(self) -> None:
        """Stop the engine; the sampler is of no use afterwards."""
        stop_engine(self._engine)

    def _served(self) -> Iterable[tuple[str, Tensor]]:
        self._wake()
        return served_tensors(self._model, self._shapes, tied=self._tied)

    def _check(self, requests: Sequence[Request], sampling: Sampling) -> None:
        if self._broken:
            raise WeightSyncError(f"{self._broken}: load the weights again before sampling")
        if sampling.temperature and not MIN_TEMPERATURE <= sampling.temperature <= MAX_TEMPERATURE:
            raise ConfigError(
                f"temperature {sampling.temperature}: vLLM samples at {MIN_TEMPERATURE} to {MAX_TEMPERATURE}, or greedily at 0"
            )
        check_positions(requests, sampling, self.max_length)

    def _check_sent(self, sent: dict[str, Tensor]) -> None:
        """Before vLLM sees them: an error halfway leaves its engine without weights."""
        for name, tensor in sent.items():
            if name not in self._shapes:
                raise WeightSyncError(f"the sampler's model has no tensor {name!r}")
            if tuple(tensor.shape) != self._shapes[name]:
                raise WeightSyncError(f"{name}: {tuple(tensor.shape)} was sent, {self._shapes[name]} is served")
        missing = sorted(set(self._shapes) - set(sent))
        if missing:
            raise WeightSyncError(f"no new weights were sent for {missing}")

    def _params(self, seed: int, sampling: Sampling) -> Any:
        from vllm import SamplingParams  # type: ignore[import-not-found, unused-ignore]
        from vllm.sampling_params import RequestOutputKind  # type: ignore[import-not-found, unused-ignore]

        return SamplingParams(
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            max_tokens=sampling.max_tokens,
            seed=seed,
            stop_token_ids=list(self.end_ids),
            ignore_eos=True,  # the end tokens of the config and of the tokenizer are not asked
            logprobs=0,  # of the sampled token alone
            flat_logprobs=True,
            detokenize=False,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )

    def _completion(self, output: Any) -> Completion:
        ids = tuple(output.token_ids)
        return Completion(ids, tuple(output.logprobs.logprobs), finished=ids[-1] in self.end_ids)
