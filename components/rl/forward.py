"""Log-probabilities of completions under a model: pad, run, keep the completion positions."""

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel

from components.data.batching import micro_batches, pad_right
from components.rl.logprobs import token_logprobs
from components.rollout.types import Rollout


def completion_logprobs(
    model: PreTrainedModel, rollouts: Sequence[Rollout], *, pad_id: int, temperature: float
) -> tuple[Tensor, Tensor]:
    """Log-probability and entropy of every completion token, flat over the rollouts in order, shape (tokens,)."""
    device = model.device
    ids = pad_right([r.prompt_ids + r.ids for r in rollouts], pad_id).to(device)
    starts = torch.tensor([[len(r.prompt_ids)] for r in rollouts], device=device)
    ends = torch.tensor([[len(r.prompt_ids) + len(r.ids)] for r in rollouts], device=device)
    position = torch.arange(ids.shape[1], device=device)[None]
    chosen = ((position >= starts) & (position < ends))[:, 1:]
    hidden = model.base_model(input_ids=ids, use_cache=False).last_hidden_state[:, :-1]
    head = model.get_output_embeddings().weight
    return token_logprobs(hidden[chosen], head, ids[:, 1:][chosen], temperature=temperature)


@torch.no_grad()
def frozen_logprobs(
    model: PreTrainedModel, rollouts: Sequence[Rollout], *, pad_id: int, temperature: float, max_tokens: int
) -> list[Tensor]:
    """Log-probabilities under ``model`` without a gradient, one tensor per rollout."""
    found: dict[int, Tensor] = {}
    for group in micro_batches([len(r.prompt_ids) + len(r.ids) for r in rollouts], max_tokens):
        part = [rollouts[i] for i in group]
        logp, _ = completion_logprobs(model, part, pad_id=pad_id, temperature=temperature)
        found.update(zip(group, logp.split([len(r.ids) for r in part]), strict=True))
    return [found[i] for i in range(len(rollouts))]
