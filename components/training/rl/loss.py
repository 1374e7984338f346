"""Policy-gradient terms per token. All tensors are flat over completion tokens, shape (N,).

``advantage`` repeats its completion's value; ``lengths`` (rows,) says which tokens belong together. Each function returns
what is to be *maximised* per token; what the tokens are divided by stands in :mod:`components.training.rl.weights`.
"""

import torch
from torch import Tensor


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
