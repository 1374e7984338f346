"""The loss of a policy update: ratio, surrogate, correction, divergence and entropy bonus in one weighted sum.

``L = - sum_t w_t [ c_t S_t - beta D_t + eta H_t ]`` with the surrogate S of :mod:`components.training.rl.loss`,
the correction c of :mod:`components.training.rl.correction`, the divergence D of :mod:`components.training.rl.kl` and the
weights w of :mod:`components.training.rl.weights`.
"""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from r1flow.components.training.rl.correction import Correction, correction_weights
from r1flow.components.training.rl.kl import ESTIMATORS, Estimator
from r1flow.components.training.rl.loss import capped_policy_gradient, clipped_surrogate, sequence_ratio, token_ratio
from r1flow.components.training.rl.weights import Normalization

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
