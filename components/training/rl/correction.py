"""Corrections for a sampler whose probabilities are not the trainer's: other kernels, another precision, older weights.

The weight of a token is built from ``rho = exp(trainer_logp - sampler_logp)``: the trainer's at the start of the step, the
sampler's when it sampled (the same policy, unless the sampler works ahead). It is a constant factor of the policy term
(and of nothing else). Tensors are flat over completion tokens, ``lengths`` (rows,).
"""

from typing import Literal

import torch
from torch import Tensor

from r1flow.components.training.rl.loss import sequence_mean, sequence_sum, spread

Correction = Literal["none", "tis", "sequence_tis", "icepop", "sequence_mask", "geometric_mask"]


@torch.no_grad()
def correction_weights(
    trainer_logp: Tensor, sampler_logp: Tensor, lengths: Tensor, method: Correction, low: float, high: float
) -> tuple[Tensor, Tensor]:
    """The weight of every token, and which tokens' ratios lay outside ``[low, high]``; both (N,), without gradient.

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
    judged = spread(sequence_mean(apart, lengths), lengths).exp() if method == "geometric_mask" else ratio
    outside = (judged < low) | (judged > high)
    if method in ("tis", "sequence_tis"):
        return ratio.clamp(max=high), outside
    return ratio.masked_fill(outside, 0.0), outside
