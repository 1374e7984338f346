"""The loss of a policy update: ratio, surrogate, correction, divergence and entropy bonus in one weighted sum.

``L = - sum_t w_t [ c_t S_t - beta D_t + eta H_t ]`` with the surrogate S (:func:`clipped_surrogate`,
:func:`capped_policy_gradient`), the correction c (:func:`correction_weights`), the divergence D of
:mod:`r1flow.components.training.rl.kl`, the entropy H and the weights w (:func:`token_weights`).

All tensors are flat over completion tokens, shape (N,); ``lengths`` (rows,) says which tokens belong together. An
``advantage`` repeats its completion's value. The terms are what is to be *maximised* per token; what they are divided by
stands in the weights alone.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from r1flow.components.training.rl.kl import ESTIMATORS, Estimator

Correction = Literal["none", "tis", "sequence_tis", "icepop", "sequence_mask", "geometric_mask"]
Normalization = Literal["sequence", "token", "constant"]
SUMS = ("kl", "clip_ratio/low", "clip_ratio/high", "entropy_exact", "correction", "corrected")


@dataclass(frozen=True)
class Loss:
    """The plain numbers of the loss; the defaults are GRPO's.

    GRPO: as it stands. Dr. GRPO: ``normalization="constant"``. DAPO: ``"token"``, ``clip_high=0.28``. GSPO:
    ``ratio="sequence"``, clip 3e-4 and 4e-4. CISPO: ``surrogate="cispo"``, ``"token"``, clip 1 and 4. ``max_tokens`` is the
    ``L_max`` of ``"constant"`` and unused otherwise. ``kl_unbiased`` multiplies the divergence by the token's ratio.
    """

    surrogate: Literal["clip", "cispo"] = "clip"
    ratio: Literal["token", "sequence"] = "token"
    normalization: Normalization = "sequence"
    max_tokens: int = 1
    clip_low: float = 0.2
    clip_high: float = 0.2
    dual_clip: float | None = None
    kl_weight: float = 0.0
    kl_estimator: Estimator = "k3"
    kl_unbiased: bool = False
    entropy_weight: float = 0.0
    correction: Correction = "none"
    correction_bounds: tuple[float, float] = (0.0, 2.0)


@dataclass(frozen=True)
class Tokens:
    """Completion tokens as the loss sees them, flat, (N,) each, beside ``lengths`` (rows,).

    ``logp`` and ``entropy`` carry a gradient. ``old`` are the trainer's log-probabilities at the start of the step,
    ``sampled`` the sampler's own, ``reference`` the frozen model's or None. Where an older policy has sampled, this is the
    decoupled objective of AReaL (arXiv 2505.24298): the ratio that is clipped is ``pi / pi_old``, and the correction is of
    ``pi_old / pi_sampled``.
    """

    logp: Tensor
    entropy: Tensor
    old: Tensor
    sampled: Tensor
    advantage: Tensor
    lengths: Tensor
    reference: Tensor | None = None


@dataclass(frozen=True)
class LossParts:
    """``loss`` carries the gradient; ``sums`` (named in SUMS) are detached sums over tokens, to be divided by a count."""

    loss: Tensor
    sums: dict[str, Tensor]


def policy_loss(tokens: Tokens, weight: Tensor, loss: Loss) -> LossParts:
    """The weighted sum over ``tokens``, to be minimised. Sums of micro-batches add up to the batch's.

    On-policy (``old`` equal to ``logp``) every surrogate has the policy gradient ``-sum_t w_t A_t grad logp_t``.
    """
    logp, advantage = tokens.logp, tokens.advantage
    per_token = token_ratio(logp, tokens.old)
    ratio = per_token if loss.ratio == "token" else sequence_ratio(logp, tokens.old, tokens.lengths)
    bounds = {"clip_low": loss.clip_low, "clip_high": loss.clip_high}
    if loss.surrogate == "cispo":
        objective = capped_policy_gradient(ratio, advantage, logp, **bounds)
    else:
        objective = clipped_surrogate(ratio, advantage, **bounds, dual_clip=loss.dual_clip)
    correction, outside = correction_weights(
        tokens.old, tokens.sampled, tokens.lengths, loss.correction, *loss.correction_bounds
    )
    if loss.correction != "none":
        objective = objective * correction
    divergence = logp.new_zeros(logp.shape)
    if tokens.reference is not None:
        divergence = ESTIMATORS[loss.kl_estimator](logp, tokens.reference)
        if loss.kl_unbiased:
            divergence = divergence * per_token
        objective = objective - loss.kl_weight * divergence
    if loss.entropy_weight:
        objective = objective + loss.entropy_weight * tokens.entropy
    counted = (
        divergence,
        *_clipped(ratio, advantage, loss),
        tokens.entropy,
        correction,
        outside,
    )
    sums = {name: values.detach().sum() for name, values in zip(SUMS, counted, strict=True)}
    return LossParts(-(weight.to(logp.dtype) * objective).sum(), sums)


def _clipped(ratio: Tensor, advantage: Tensor, loss: Loss) -> tuple[Tensor, Tensor]:
    """The tokens at which the lower and the upper bound act; CISPO's cap the weight of either sign."""
    low, high = ratio < 1 - loss.clip_low, ratio > 1 + loss.clip_high
    if loss.surrogate == "cispo":
        return low & (advantage != 0), high & (advantage != 0)
    return low & (advantage < 0), high & (advantage > 0)


def token_ratio(logp: Tensor, old_logp: Tensor) -> Tensor:
    """``rho_t = exp(logp_t - old_logp_t)``."""
    return (logp - old_logp.detach()).exp()


def sequence_ratio(logp: Tensor, old_logp: Tensor, lengths: Tensor) -> Tensor:
    """``s_i = exp(mean_t (logp_t - old_logp_t))``, repeated for each token of completion i.

    GSPO (arXiv 2507.18071) eq. 7: the length-normalised likelihood ratio of the whole completion.
    """
    return spread(sequence_mean(logp - old_logp.detach(), lengths), lengths).exp()


def clipped_surrogate(
    ratio: Tensor, advantage: Tensor, *, clip_low: float, clip_high: float, dual_clip: float | None = None
) -> Tensor:
    """``min(rho A, clip(rho, 1 - low, 1 + high) A)``; where ``A < 0`` not less than ``c A`` with ``c = dual_clip``.

    DeepSeekMath (arXiv 2402.03300) eq. 3; R1 (arXiv 2501.12948) eq. 1. ``high`` above ``low`` is DAPO's clip-higher.
    The dual clip (arXiv 1912.09729, c = 3) bounds what one bad token can do that has become much likelier.
    """
    clipped = ratio.clamp(1 - clip_low, 1 + clip_high)
    objective = (ratio * advantage).minimum(clipped * advantage)
    if dual_clip is None:
        return objective
    return objective.maximum(dual_clip * advantage).where(advantage < 0, objective)


def capped_policy_gradient(
    ratio: Tensor, advantage: Tensor, logp: Tensor, *, clip_low: float, clip_high: float
) -> Tensor:
    """``sg(clip(rho, 1 - low, 1 + high)) A logp``: CISPO (MiniMax-M1, arXiv 2506.13585, eq. 4).

    The clipped ratio is a constant weight, so no token is dropped from the gradient. ``low`` = 1 is no lower bound.
    """
    return ratio.detach().clamp(1 - clip_low, 1 + clip_high) * advantage * logp


@torch.no_grad()
def correction_weights(
    trainer_logp: Tensor, sampler_logp: Tensor, lengths: Tensor, method: Correction, low: float, high: float
) -> tuple[Tensor, Tensor]:
    """The weight of every token, and which tokens' ratios lay outside ``[low, high]``; both (N,), without gradient.

    For a sampler whose probabilities are not the trainer's: other kernels, another precision, older weights. The weight is
    built from ``rho = exp(trainer_logp - sampler_logp)``: the trainer's at the start of the step, the sampler's when it
    sampled (the same policy, unless the sampler works ahead). It is a constant factor of the policy term alone.

    ``tis``: ``min(rho_t, high)``, truncated importance sampling. ``icepop``: ``rho_t`` inside the bounds, else 0.
    ``sequence_tis`` and ``sequence_mask`` do the same with the completion's ratio ``exp(sum_t log rho_t)``: unbiased, but of a
    variance that grows with length. ``geometric_mask``: ``rho_t`` in completions whose ``exp(mean_t log rho_t)`` lies inside
    the bounds, else 0. ``none``: 1 throughout. A sampler that gave no number (NaN) counts as agreeing.
    """
    if method == "none":
        return torch.ones_like(trainer_logp), torch.zeros_like(trainer_logp, dtype=torch.bool)
    apart = (trainer_logp - sampler_logp).nan_to_num(nan=0.0)
    if method in ("sequence_tis", "sequence_mask"):
        apart = spread(sequence_sum(apart, lengths), lengths)
    ratio = apart.exp()
    compared = spread(sequence_mean(apart, lengths), lengths).exp() if method == "geometric_mask" else ratio
    outside = (compared < low) | (compared > high)
    if method in ("tis", "sequence_tis"):
        return ratio.clamp(max=high), outside
    return ratio.masked_fill(outside, 0.0), outside


def token_weights(
    lengths: Tensor, normalization: Normalization, *, completions: int, tokens: int, max_tokens: int
) -> Tensor:
    """The weight of every token, float64; ``completions`` and ``tokens`` count the *whole* batch.

    A weight holds the whole normalisation, so that losses of micro-batches simply add up and any cut gives the same
    gradient. ``lengths`` are of some of the batch's completions.

    ``sequence``: ``1 / (n |o_i|)``, the mean over completions of the mean over tokens (GRPO, DeepSeekMath eq. 3; GSPO).
    ``token``: ``1 / sum_i |o_i|``, the mean over tokens (DAPO, arXiv 2503.14476, eq. 8; CISPO).
    ``constant``: ``1 / (n L_max)`` with the constant ``L_max = max_tokens`` (Dr. GRPO, arXiv 2503.20783), so that a
    token's weight does not depend on how long its completion is.
    """
    if normalization == "sequence":
        return (1.0 / (lengths.double() * completions)).repeat_interleave(lengths)
    divisor = tokens if normalization == "token" else completions * max_tokens
    return torch.full((int(lengths.sum()),), 1.0 / max(1, divisor), dtype=torch.float64, device=lengths.device)


def sequence_sum(values: Tensor, lengths: Tensor) -> Tensor:
    """Sum over each completion's tokens, shape (rows,). The same bits whatever other completions stand beside it."""
    if len(lengths) == 0:
        return values.new_zeros(0)
    return torch.stack([part.sum() for part in values.split(lengths.tolist())])


def sequence_mean(values: Tensor, lengths: Tensor) -> Tensor:
    """Mean over each completion's tokens, shape (rows,); 0 for a completion without tokens."""
    return sequence_sum(values, lengths) / lengths.clamp(min=1)


def spread(values: Tensor, lengths: Tensor) -> Tensor:
    """Each completion's value for each of its tokens: (rows,) to (N,)."""
    return values.repeat_interleave(lengths)
