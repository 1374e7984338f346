"""From scored groups to a gradient: pack completions, recompute log-probabilities, weigh, step."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random

import torch
from torch import Tensor
from transformers import PreTrainedModel

from components.data.batching import micro_batches
from components.engines.single import SingleEngine
from components.rl.forward import completion_logprobs
from components.rl.loss import grpo_loss, token_weights
from components.rollout.types import Rollout


@dataclass(frozen=True)
class Trained:
    """One completion as the update sees it; no ``old_logprobs`` on-policy, no ``ref_logprobs`` without a reference."""

    rollout: Rollout
    advantage: float
    old_logprobs: Tensor | None = None
    ref_logprobs: Tensor | None = None

    @property
    def length(self) -> int:
        return len(self.rollout.prompt_ids) + len(self.rollout.ids)


def update_policy(
    engine: SingleEngine,
    model: PreTrainedModel,
    batch: Sequence[Trained],
    *,
    pad_id: int,
    temperature: float,
    clip_low: float,
    clip_high: float,
    kl_weight: float,
    max_tokens: int,
) -> dict[str, float]:
    """One optimizer step on ``batch``, in micro-batches of at most ``max_tokens`` padded tokens.

    A completion with advantage 0 and no reference has a gradient of exactly 0: it is counted in the denominator and not
    computed, which late in training is most of the work.

    Returns means over the batch's tokens: ``kl``, ``clipped_low``, ``clipped_high``; the ``loss``; the largest ``mismatch``
    between the sampler's log-probabilities and these (meaningful on-policy only); ``grad_norm``.
    """
    sums = dict.fromkeys(("loss", "kl", "clipped_low", "clipped_high"), 0.0)
    mismatch = 0.0
    # With nothing to learn one completion still makes a gradient of zeros, so that AdamW's moments decay as they should.
    live = [t for t in batch if t.advantage != 0 or t.ref_logprobs is not None] or list(batch[:1])
    for group in micro_batches([t.length for t in live], max_tokens):
        part = [live[i] for i in group]
        rollouts = [t.rollout for t in part]
        logp, _ = completion_logprobs(model, rollouts, pad_id=pad_id, temperature=temperature)
        lengths = torch.tensor([len(r.ids) for r in rollouts], device=logp.device)
        advantage = torch.tensor([t.advantage for t in part], device=logp.device).repeat_interleave(lengths)
        sampled = torch.tensor([p for r in rollouts for p in r.logprobs], device=logp.device)
        old = [t.old_logprobs for t in part if t.old_logprobs is not None]
        ref = [t.ref_logprobs for t in part if t.ref_logprobs is not None]
        parts = grpo_loss(
            logp,
            torch.cat(old) if old else logp.detach(),
            advantage,
            token_weights(lengths, len(batch)),
            clip_low=clip_low,
            clip_high=clip_high,
            ref_logp=torch.cat(ref) if ref else None,
            kl_weight=kl_weight,
        )
        engine.backward(parts.loss)
        apart = (logp.detach() - sampled).abs().nan_to_num(nan=math.inf)  # max() would pass over a NaN
        mismatch = max(mismatch, float(apart.max()))
        for name, value in (
            ("loss", parts.loss),
            ("kl", parts.kl),
            ("clipped_low", parts.clipped_low),
            ("clipped_high", parts.clipped_high),
        ):
            sums[name] += float(value.detach())
    outcome = engine.step()
    tokens = max(1, sum(len(t.rollout.ids) for t in batch))  # 0 where nothing was scored: then all sums are 0
    means = {name: value if name == "loss" else value / tokens for name, value in sums.items()}
    return means | {
        "mismatch": mismatch,
        "grad_norm": outcome.grad_norm,
        "learning_rate": outcome.learning_rate,
        "skipped": float(not outcome.applied),
    }


def split_at_random(batch: Sequence[Trained], parts: int, seed: int) -> list[list[Trained]]:
    """``parts`` mini-batches of (nearly) equal size, in an order that is a function of ``seed``.

    R1 supplementary: 8,192 outputs of a rollout are split at random into 16 mini-batches and walked once.
    """
    order = list(range(len(batch)))
    if parts > 1:
        Random(seed).shuffle(order)
    bounds = [round(i * len(batch) / parts) for i in range(parts + 1)]
    return [[batch[i] for i in order[low:high]] for low, high in pairwise(bounds)]
