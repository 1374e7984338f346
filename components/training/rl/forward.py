"""Log-probabilities of completions under a model: padded rows, or packed with every prompt once, by a fixed rule."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from r1flow.components.core.attention import open_attention
from r1flow.components.core.batching import pad_right
from r1flow.components.core.rollout import Rollout
from r1flow.components.training.engines import ranks
from r1flow.components.training.rl.logprobs import token_logprobs
from r1flow.components.training.rl.packed import Layout, packed_hidden

PACK_BELOW = 0.9
"""Rollouts are packed where that leaves at most this share of the padded tokens (`benchmarks/grpo_vs_trl.py`)."""


def completion_logprobs(
    model: PreTrainedModel,
    rollouts: Sequence[Rollout],
    *,
    pad_id: int,
    temperature: float,
    packed: bool | None = None,
) -> tuple[Tensor, Tensor]:
    """Log-probability and entropy of every completion token, flat over the rollouts in order, shape (tokens,).

    Padded and packed form agree to rounding. ``packed`` None takes the form by a rule on lengths and prompts alone;
    an architecture that cannot be packed is padded.
    """
    head = model.get_output_embeddings().weight
    targets = torch.tensor([token for r in rollouts for token in r.ids], dtype=torch.long, device=model.device)
    hidden = completion_hidden(model, rollouts, pad_id=pad_id, packed=packed)
    return token_logprobs(hidden, head, targets, temperature=temperature)


def completion_hidden(
    model: PreTrainedModel, rollouts: Sequence[Rollout], *, pad_id: int, packed: bool | None = None
) -> Tensor:
    """The hidden state behind which each completion token comes, shape (tokens, D)."""
    if packed is None:
        packed = packing_pays(rollouts)
    if packed and open_attention(model):
        return packed_hidden(model, Layout.of(rollouts, model.device))
    return padded_hidden(model, rollouts, pad_id=pad_id)


def packing_pays(rollouts: Sequence[Rollout]) -> bool:
    """Whether distinct prompts plus completions are few beside rows x longest row."""
    prompts = {r.prompt_ids for r in rollouts}
    packed = sum(map(len, prompts)) + sum(len(r.ids) - 1 for r in rollouts)
    padded = len(rollouts) * max(len(r.prompt_ids) + len(r.ids) for r in rollouts)
    return packed <= PACK_BELOW * padded


def padded_hidden(model: PreTrainedModel, rollouts: Sequence[Rollout], *, pad_id: int) -> Tensor:
    """The hidden state that predicts each completion token, shape (tokens, D), from right-padded rows."""
    device = model.device
    ids = pad_right([(*r.prompt_ids, *r.ids) for r in rollouts], pad_id).to(device)
    starts = torch.tensor([[len(r.prompt_ids)] for r in rollouts], device=device)
    ends = torch.tensor([[len(r.prompt_ids) + len(r.ids)] for r in rollouts], device=device)
    position = torch.arange(ids.shape[1], device=device)[None]
    chosen = ((position >= starts) & (position < ends))[:, 1:]
    hidden: Tensor = model.base_model(input_ids=ids, use_cache=False).last_hidden_state[:, :-1]
    return hidden[chosen]


Run = Callable[..., Any]
"""``run(function, *arguments, **named)`` is ``function(model, *arguments, **named)``: an engine's ``forward``, or ``on``."""


def on(model: PreTrainedModel) -> Run:
    """Functions applied to a model that no engine holds."""

    def run(function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        return function(model, *arguments, **named)

    return run


def frozen_logprobs(
    run: Run, rollouts: Sequence[Rollout], *, pad_id: int, temperature: float, micro_tokens: int
) -> list[Tensor]:
    """Log-probabilities without a gradient, one tensor per rollout; each rank computes its share, all get all."""

    def compute(part: list[Rollout]) -> Tensor:
        logp, _ = run(completion_logprobs, part, pad_id=pad_id, temperature=temperature)
        return logp

    return frozen(compute, rollouts, micro_tokens=micro_tokens)


@torch.no_grad()
def frozen(
    compute: Callable[[list[Rollout]], Tensor], rollouts: Sequence[Rollout], *, micro_tokens: int
) -> list[Tensor]:
    """What ``compute`` says of every completion token, without a gradient, one tensor per rollout.

    ``compute`` answers flat over the rollouts of a micro-batch. Each rank computes its share, all get all.
    """
    found: dict[int, list[float]] = {}
    like = torch.zeros(0)
    lengths = [len(r.prompt_ids) + len(r.ids) for r in rollouts]
    for turn in ranks.turns(lengths, micro_tokens, rank=ranks.rank(), world=ranks.world_size()):
        part = [rollouts[i] for i in turn.rows]
        like = compute(part)
        if turn.counts:
            values = like.split([len(r.ids) for r in part])
            found |= {i: v.tolist() for i, v in zip(turn.rows, values, strict=True)}
    everything = {i: v for of_rank in ranks.gather(list(found.items())) for i, v in of_rank}
    return [like.new_tensor(everything[i]) for i in range(len(rollouts))]
