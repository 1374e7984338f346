"""A policy version on its way to a sampler that is still busy: the weights, and what proves later that they arrived.

The weight-sync proof (:mod:`r1flow.components.sampling.proof`) has the trainer compute log-probabilities of what the sampler has
drawn. When the sampler comes to load a version, the trainer has gone on. So the trainer says beforehand which
log-probability *every* token would have behind the first words of a completion; the sampler then draws one token behind
each of them, and whichever it draws can be looked up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedModel

from r1flow.components.core.logits import head_of
from r1flow.components.sampling.base import Request, Sampler, Sampling
from r1flow.components.sampling.proof import TOKENS, WeightProof, prove_by
from r1flow.components.training.engines.base import Engine


@dataclass(frozen=True)
class Snapshot:
    """Weights of ``version``, copied to the CPU, and ``next_logp`` (prefixes, vocabulary): log p of every next token."""

    version: int
    tensors: Mapping[str, Tensor]
    prefixes: tuple[tuple[int, ...], ...]
    next_logp: Tensor

    def logprobs(self, prefix: tuple[int, ...], ids: tuple[int, ...]) -> list[float]:
        """log p of the one token ``ids`` behind ``prefix``."""
        (token,) = ids
        return [float(self.next_logp[self.prefixes.index(prefix), token])]


def take_snapshot(engine: Engine, version: int, prompt_ids: Sequence[int], ids: Sequence[int]) -> Snapshot:
    """The policy as it is now. ``prompt_ids`` and ``ids`` are any completion; its first tokens make the probe.

    All ranks call it with the same completion.
    """
    context = ids[: TOKENS - 1]
    tensors = {name: tensor.detach().to("cpu", copy=True) for name, tensor in engine.full_parameters()}
    prefixes = tuple((*prompt_ids, *context[:end]) for end in range(len(context) + 1))
    return Snapshot(
        version, tensors, prefixes, engine.forward(_next_logp, (*prompt_ids, *context), len(prefixes)).cpu()
    )


def serve_snapshot(sampler: Sampler, snapshot: Snapshot, dtype: torch.dtype) -> WeightProof:
    """Load the snapshot and prove that it is what ``sampler`` serves, in ``dtype``; see
    :func:`r1flow.components.sampling.proof.prove_weights`, whose errors it raises."""
    sampler.load_weights(snapshot.tensors.items(), version=snapshot.version)
    probe = [Request(prefix, seed) for seed, prefix in enumerate(snapshot.prefixes)]
    return prove_by(
        sampler,
        snapshot.tensors.items(),
        snapshot.version,
        probe,
        Sampling(max_tokens=1),
        logprobs=snapshot.logprobs,
        dtype=dtype,
    )


@torch.no_grad()
def _next_logp(model: PreTrainedModel, ids: tuple[int, ...], num: int) -> Tensor:
    """log p at temperature 1 of what may follow each of the last ``num`` tokens, (num, vocabulary)."""
    row = torch.tensor([ids], device=model.device)
    hidden = model.base_model(input_ids=row, use_cache=False).last_hidden_state[0, -num:]
    return head_of(model).logits(hidden).float().log_softmax(-1)
