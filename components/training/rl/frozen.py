"""Passes without a gradient over a whole batch of completions: the policy before its update, its reference, its critic."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from r1flow.components.core.rollout import Rollout
from r1flow.components.training.engines import ranks
from r1flow.components.training.rl.forward import completion_logprobs

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
