"""The weight-sync proof: the sampler serves the trainer's weights, in every tensor and in what they compute.

A sampler with stale or half-loaded weights raises no error; it makes training off-policy, and rewards fall for no
visible reason. Three checks, from cheap to telling: the version, the digest over every tensor that is served, and
log-probabilities of a short completion that the trainer computes again.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor
from transformers import PreTrainedModel

from r1flow.components.core.errors import WeightSyncError
from r1flow.components.core.logits import form_of
from r1flow.components.sampling.base import Request, Sampler, Sampling
from r1flow.components.sampling.digest import tensor_digests, tensors_digest
from r1flow.components.sampling.transformers import TransformersSampler

LIMITS = {torch.float32: 1e-3, torch.bfloat16: 0.1}
"""Nats: on any token in float32, where two implementations differ by 3e-6; on average in bfloat16, whose rounding alone moves
single tokens by up to 0.13 and the average by 0.02 (1.5B random weights on an H100). Wrong weights are off by 1 to 2."""
TOKENS = 16
SAMPLES = 2
NAMED = 5  # tensors at most in a message

Logprobs = Callable[[tuple[int, ...], tuple[int, ...]], Sequence[float]]
"""Prompt and completion -> log p of each token of the completion, at temperature 1, by the trainer."""


@runtime_checkable
class TellsTensors(Protocol):
    """A sampler that can say which tensor differs."""

    def tensor_digests(self) -> dict[str, str]:
        """The digest of each tensor that is served."""
        ...


@dataclass(frozen=True)
class WeightProof:
    """What was proved: ``digest`` over all served tensors, and the largest difference in log p over ``tokens``."""

    version: int
    digest: str
    mismatch: float
    tokens: int


def prove_weights(
    sampler: Sampler,
    named_tensors: Iterable[tuple[str, Tensor]],
    version: int,
    *,
    logprobs: Logprobs,
    prompt_ids: Sequence[int],
    dtype: torch.dtype = torch.float32,
) -> WeightProof:
    """Prove that ``sampler`` serves ``named_tensors`` as ``version``; ``dtype`` is the type it serves them in.

    Raises :class:`WeightSyncError`, naming the tensors where the sampler can tell them apart.
    """
    probe = [Request(tuple(prompt_ids), seed) for seed in range(SAMPLES)]
    return prove_by(sampler, named_tensors, version, probe, Sampling(TOKENS), logprobs=logprobs, dtype=dtype)


def prove_by(
    sampler: Sampler,
    named_tensors: Iterable[tuple[str, Tensor]],
    version: int,
    probe: Sequence[Request],
    sampling: Sampling,
    *,
    logprobs: Logprobs,
    dtype: torch.dtype,
) -> WeightProof:
    """:func:`prove_weights` with a probe of one's own; ``logprobs`` is asked for what the sampler answers to it."""
    if sampler.version != version:
        raise WeightSyncError(
            f"the sampler serves version {sampler.version}, the trainer is at {version}; load_weights was not called, "
            "or not for this sampler"
        )
    trained = [(name, tensor.detach().to(dtype)) for name, tensor in named_tensors]
    digest = tensors_digest(trained)
    differing = _differing(sampler, trained, digest)
    if differing:
        raise WeightSyncError(f"version {version}: the sampler does not serve the trainer's {differing}")
    differences = _differences(sampler, logprobs, probe, sampling)
    rounded = dtype == torch.bfloat16
    apart = float(differences.mean() if rounded else differences.max())
    if not apart <= LIMITS[dtype]:  # NaN is a mismatch
        raise WeightSyncError(
            f"version {version}: every tensor that the sampler reports is the trainer's, yet their log-probabilities "
            f"differ by {apart:.4f} nats {'on average' if rounded else 'on a token'} (limit {LIMITS[dtype]}): what it computes "
            "with is something else"
        )
    return WeightProof(version, digest, float(differences.max()), len(differences))


def model_logprobs(model: PreTrainedModel) -> Logprobs:
    """The trainer's side of the proof where its model is whole and in this process."""

    @torch.no_grad()
    def logprobs(prompt_ids: tuple[int, ...], ids: tuple[int, ...]) -> list[float]:
        row = torch.tensor([[*prompt_ids, *ids]], device=model.device)
        logits = form_of(model).kept(model(input_ids=row, use_cache=False).logits[0, len(prompt_ids) - 1 : -1])
        chosen = logits.float().log_softmax(-1).gather(-1, row[0, len(prompt_ids) :, None])
        return [float(value) for value in chosen.squeeze(-1)]

    return logprobs


def served_digests(sampler: Sampler) -> dict[str, str] | None:
    """The digest of each tensor that ``sampler`` serves, by name; None where it cannot tell them apart."""
    if isinstance(sampler, TellsTensors):
        return sampler.tensor_digests()
    if isinstance(sampler, TransformersSampler):
        return tensor_digests(sampler.model.named_parameters())
    return None


def _differing(sampler: Sampler, trained: Sequence[tuple[str, Tensor]], digest: str) -> str:
    """The tensors that differ, in words; empty where none does."""
    served = served_digests(sampler)
    if served is None:
        return "" if sampler.weights_digest() == digest else "weights: their digests differ"
    own = tensor_digests(trained)
    names = sorted(name for name in own.keys() | served.keys() if own.get(name) != served.get(name))
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _differences(sampler: Sampler, logprobs: Logprobs, probe: Sequence[Request], sampling: Sampling) -> Tensor:
    """How far log p of each token of the sampler's answers lies from the trainer's, in float64."""
    found = [
        abs(ours - theirs)
        for request, completion in zip(probe, sampler.generate(probe, sampling), strict=True)
        for ours, theirs in zip(logprobs(request.prompt_ids, completion.ids), completion.logprobs, strict=True)
    ]
    return torch.tensor(found, dtype=torch.float64)
