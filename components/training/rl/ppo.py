"""PPO's pieces beside the clipped surrogate: rewards per token, generalised advantages, the value loss, the value head.

All tensors are flat over completion tokens, shape (N,); ``lengths`` (rows,) says which tokens belong together. A completion
ends its episode: what would come after its last token is worth 0.
"""

import torch
from torch import Tensor, nn


def token_rewards(scores: Tensor, logp: Tensor, ref_logp: Tensor, lengths: Tensor, *, kl_weight: float) -> Tensor:
    """``r_t = -beta (logp_t - ref_logp_t)``, plus the completion's score at its last token; without gradient.

    ``scores`` (rows,). InstructGPT (arXiv 2203.02155) eq. 2; R1 supplementary, PPO. Unlike GRPO's divergence in the loss,
    this one is summed over the completion, so that it punishes length.
    """
    rewards = -kl_weight * (logp - ref_logp).detach()
    spoken = lengths > 0
    last = lengths.cumsum(0)[spoken] - 1
    return rewards.index_add(0, last, scores.to(rewards.dtype)[spoken])


def gae(
    rewards: Tensor, values: Tensor, lengths: Tensor, *, gamma: float = 1.0, lam: float = 1.0
) -> tuple[Tensor, Tensor]:
    """Advantages ``A_t = sum_k (gamma lam)^k delta_{t+k}`` and returns ``A_t + V_t``, without gradient.

    ``delta_t = r_t + gamma V_{t+1} - V_t`` with ``V = 0`` behind the end (arXiv 1506.02438 eq. 16). R1's comparison: lam 1.0
    comes up to GRPO on MATH, 0.95 stays well below.
    """
    rows = len(lengths)
    longest = int(lengths.max()) if rows else 0
    inside = torch.arange(longest, device=values.device)[None] < lengths[:, None]
    reward, value = (values.new_zeros(rows, longest + 1) for _ in range(2))
    reward[:, :longest][inside] = rewards.detach().to(values.dtype)
    value[:, :longest][inside] = values.detach()
    advantage = torch.zeros_like(value)
    for t in range(longest - 1, -1, -1):
        delta = reward[:, t] + gamma * value[:, t + 1] - value[:, t]
        advantage[:, t] = delta + gamma * lam * advantage[:, t + 1]
    flat = advantage[:, :longest][inside]
    return flat, flat + values.detach()


def whiten(advantage: Tensor, *, eps: float = 1e-8) -> Tensor:
    """``(A - mean(A)) / (std(A) + eps)`` over the whole batch's tokens: give it the batch, not a micro-batch of it."""
    if len(advantage) < 2:
        return torch.zeros_like(advantage)
    return (advantage - advantage.mean()) / (advantage.std() + eps)


def value_loss(
    values: Tensor, old_values: Tensor, returns: Tensor, weight: Tensor, *, clip: float
) -> tuple[Tensor, Tensor]:
    """``sum_t w_t max((V_t - R_t)^2, (clip(V_t, V_old_t - c, V_old_t + c) - R_t)^2) / 2`` and the number of clipped tokens.

    The clip keeps a value from running away from the one that made the advantages (arXiv 1707.06347's reference code).
    ``weight``: :func:`r1flow.components.training.rl.loss.token_weights`, so that micro-batches add up.
    """
    old = old_values.detach()
    plain = (values - returns) ** 2
    clipped = (values.clamp(old - clip, old + clip) - returns) ** 2
    return (weight.to(values.dtype) * torch.maximum(plain, clipped)).sum() / 2, (clipped > plain).sum()


class ValueHead(nn.Module):
    """One number per hidden state, in its own weights' dtype; 0 at the start, so that first advantages are returns."""

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.linear = nn.Linear(hidden_size, 1)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, hidden: Tensor) -> Tensor:
        """(N, hidden_size) to (N,)."""
        return self.linear(hidden.to(self.linear.weight.dtype)).squeeze(-1)
