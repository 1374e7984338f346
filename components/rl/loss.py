"""The GRPO objective, as a sum that any cut into micro-batches leaves unchanged."""

from dataclasses import dataclass

import torch
from torch import Tensor

from components.rl.kl import k3


@dataclass(frozen=True)
class LossParts:
    """``loss`` carries the gradient; the others are detached sums over tokens, to be divided by the batch's tokens."""

    loss: Tensor
    kl: Tensor
    clipped_low: Tensor
    clipped_high: Tensor


def grpo_loss(
    logp: Tensor,
    old_logp: Tensor,
    advantage: Tensor,
    weight: Tensor,
    *,
    clip_low: float,
    clip_high: float,
    ref_logp: Tensor | None = None,
    kl_weight: float = 0.0,
) -> LossParts:
    """``-sum_t w_t [ min(rho_t A_t, clip(rho_t, 1 - low, 1 + high) A_t) - beta D_t ]``, ``rho = exp(logp - old_logp)``.

    DeepSeekMath (arXiv 2402.03300) eq. 3; R1 (arXiv 2501.12948) eq. 1. All tensors are flat over completion tokens,
    shape (N,); ``advantage`` repeats its completion's value. ``weight`` holds the whole normalisation: see
    :func:`token_weights`. Because it does, losses of micro-batches simply add up, whatever their number.

    ``D`` is :func:`components.rl.kl.k3` against ``ref_logp``, in the loss and not in the reward, so that it does not
    penalise length. On-policy (``old_logp`` equal to ``logp``) the value is ``-sum w A`` and the gradient the policy
    gradient.
    """
    ratio = (logp - old_logp.detach()).exp()
    clipped = ratio.clamp(1 - clip_low, 1 + clip_high)
    objective = torch.minimum(ratio * advantage, clipped * advantage)
    kl = torch.zeros_like(logp)
    if ref_logp is not None:
        kl = k3(logp, ref_logp)
        objective = objective - kl_weight * kl
    return LossParts(
        loss=-(weight * objective).sum(),
        kl=kl.detach().sum(),
        clipped_low=((ratio < 1 - clip_low) & (advantage < 0)).sum(),
        clipped_high=((ratio > 1 + clip_high) & (advantage > 0)).sum(),
    )


def token_weights(lengths: Tensor, num_completions: int) -> Tensor:
    """GRPO's weights ``1 / (n |o_i|)``: the mean over completions of the mean over tokens, shape (sum of lengths,).

    ``lengths`` (rows,) are token counts of completions, ``num_completions`` the count over the *whole* batch, of which
    ``lengths`` may be a part.
    """
    return (1.0 / (lengths.double() * num_completions)).float().repeat_interleave(lengths)
