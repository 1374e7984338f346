"""From scored groups to a gradient: pack completions, recompute log-probabilities, weigh, step."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random

import numpy as np
import torch
from torch import Tensor

from r1flow.components.core.rollout import Rollout
from r1flow.components.training.engines import ranks
from r1flow.components.training.engines.base import Engine
from r1flow.components.training.rl.forward import completion_logprobs
from r1flow.components.training.rl.loss import SUMS, Loss, Tokens, policy_loss, token_weights

OF_THE_BATCH = ("kl", "clip_ratio/low", "clip_ratio/high")
"""Sums that are 0 for completions that are not computed; the others are means over the computed tokens alone."""


@dataclass(frozen=True)
class TokenEstimates:
    """What PPO's value model made of a completion, (tokens,) each: see :mod:`r1flow.components.training.rl.critic`."""

    advantages: Tensor
    values: Tensor
    returns: Tensor


@dataclass(frozen=True)
class Trained:
    """One completion as the update sees it; no ``old_logprobs`` on-policy, no ``ref_logprobs`` without a reference.

    Where it was estimated every token has an advantage of its own, and ``advantage`` is their mean.
    """

    rollout: Rollout
    advantage: float
    old_logprobs: Tensor | None = None
    ref_logprobs: Tensor | None = None
    estimates: TokenEstimates | None = None

    @property
    def length(self) -> int:
        return len(self.rollout.prompt_ids) + len(self.rollout.ids)


def update_policy(
    engine: Engine,
    batch: Sequence[Trained],
    *,
    loss: Loss,
    pad_id: int,
    temperature: float,
    micro_tokens: int,
) -> dict[str, float]:
    """One optimizer step on ``batch``, in micro-batches of at most ``micro_tokens`` padded tokens.

    A completion with advantage 0, no reference and no entropy bonus has a gradient of exactly 0: it is counted in the
    denominator and not computed, which late in training is most of the work.

    Returns the ``loss`` (a weighted sum); means over the batch's tokens: ``kl``, ``clip_ratio/low``, ``clip_ratio/high``; means
    over the computed tokens: ``entropy_exact``, ``correction`` (the mean weight), ``corrected`` (the share outside the bounds),
    ``mismatch_mean``, and the largest ``mismatch`` between the log-probabilities of the sampler and of the policy that
    sampled as the trainer sees it; the engine's ``grad_norm``, ``learning_rate`` and ``skipped``.
    """
    sums = dict.fromkeys(("loss", *SUMS, "mismatch_mean"), 0.0)
    mismatch = 0.0
    tokens = sum(len(t.rollout.ids) for t in batch)
    idle_moves = bool(loss.entropy_weight) or any(t.ref_logprobs is not None for t in batch)
    # With nothing to learn one completion still makes a gradient of zeros, so that AdamW's moments decay as they should.
    live = [t for t in batch if t.advantage != 0 or t.estimates or idle_moves] or list(batch[:1])
    turns = ranks.turns([t.length for t in live], micro_tokens, rank=ranks.rank(), world=ranks.world_size())
    for turn in turns:
        part = [live[i] for i in turn.rows]
        logp, entropy = engine.forward(
            completion_logprobs, [t.rollout for t in part], pad_id=pad_id, temperature=temperature
        )
        flat = flat_tokens(part, logp, entropy)
        parts = policy_loss(flat, weights(flat.lengths, loss, completions=len(batch), tokens=tokens), loss)
        engine.backward(turn.weigh(parts.loss))
        if not turn.counts:
            continue
        apart = (flat.old - flat.sampled).abs().nan_to_num(nan=math.inf)  # max() would pass over a NaN
        mismatch = max(mismatch, float(apart.max()))
        for name, value in {"loss": parts.loss.detach(), "mismatch_mean": apart.sum(), **parts.sums}.items():
            sums[name] += float(value)
    sums, mismatch = ranks.add_up(sums), ranks.largest({"": mismatch})[""]
    outcome = engine.step()
    return means(sums, tokens=tokens, computed=sum(len(t.rollout.ids) for t in live)) | {
        "mismatch": mismatch,
        "grad_norm": outcome.grad_norm,
        "learning_rate": outcome.learning_rate,
        "skipped": float(not outcome.applied),
    }


def means(sums: Mapping[str, float], *, tokens: int, computed: int) -> dict[str, float]:
    """Sums over tokens as means: over the batch's ``tokens`` or those ``computed``; the loss is one already."""
    counts = {"loss": 1} | dict.fromkeys(OF_THE_BATCH, max(1, tokens))  # 0 tokens: nothing scored, all sums are 0
    return {name: value / counts.get(name, max(1, computed)) for name, value in sums.items()}


def weights(lengths: Tensor, loss: Loss, *, completions: int, tokens: int) -> Tensor:
    """The loss's token weights for some completions of a batch of ``completions`` with ``tokens``."""
    return token_weights(
        lengths, loss.normalization, completions=completions, tokens=tokens, max_tokens=loss.max_tokens
    )


def flat_tokens(part: Sequence[Trained], logp: Tensor, entropy: Tensor) -> Tokens:
    """The completions' numbers, flat over their tokens, beside ``logp`` and ``entropy`` of the policy as it is now."""
    lengths = torch.tensor([len(t.rollout.ids) for t in part], device=logp.device)
    old = [t.old_logprobs for t in part if t.old_logprobs is not None]
    ref = [t.ref_logprobs for t in part if t.ref_logprobs is not None]
    estimated = [t.estimates.advantages for t in part if t.estimates is not None]
    return Tokens(
        logp=logp,
        entropy=entropy,
        old=torch.cat(old) if old else logp.detach(),
        sampled=logp.new_tensor(np.concatenate([t.rollout.logprobs for t in part])),
        advantage=torch.cat(estimated)
        if estimated
        else logp.new_tensor([t.advantage for t in part]).repeat_interleave(lengths),
        lengths=lengths,
        reference=torch.cat(ref) if ref else None,
    )


def split_at_random(batch: Sequence[Trained], parts: int, seed: int) -> list[list[Trained]]:
    """``parts`` mini-batches of (nearly) equal size, in an order that is a function of ``seed``.

    R1 supplementary: 8,192 outputs of a rollout are split at random into 16 mini-batches and walked once.
    """
    order = list(range(len(batch)))
    if parts > 1:
        Random(seed).shuffle(order)
    bounds = [round(i * len(batch) / parts) for i in range(parts + 1)]
    return [[batch[i] for i in order[low:high]] for low, high in pairwise(bounds)]
