"""Log-probabilities and entropy from hidden states, in chunks, at completion positions only.

A [tokens x vocabulary] tensor is what runs a card out of memory (310 MB for 2 x 256 tokens of a 0.6B model): here it
exists for one chunk at a time, in the forward pass and again in the backward pass, which knows its derivative in closed
form and adds to one gradient of the head in place.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

WHOLE_BYTES = 64 << 20
"""Up to so many bytes of logits are computed in one piece by plain autograd, without recomputation."""
CHUNK_BYTES = 256 << 20
"""Beyond that, logits that exist at once (twice): every chunk reads the whole head, so few rows would cost time."""


def token_logprobs(
    hidden: Tensor, head: Tensor, targets: Tensor, *, temperature: float = 1.0, chunk_tokens: int | None = None
) -> tuple[Tensor, Tensor]:
    """Log-probability of each target and the entropy of the distribution it was drawn from, in nats.

    ``log p(v) = z_v - logsumexp(z)``, ``H = logsumexp(z) - sum_v softmax(z)_v z_v`` with ``z = hidden @ head.T / T``.

    Shapes: ``hidden`` (N, D), ``head`` (V, D), ``targets`` (N,); returns two tensors (N,), in float32 (float64 where the
    hidden states are). The entropy carries a gradient, so that it can be a bonus. ``chunk_tokens`` bounds the rows of z
    that exist at once; the default follows :data:`WHOLE_BYTES` and :data:`CHUNK_BYTES`. Derivatives of second order are refused.
    """
    exact = torch.promote_types(hidden.dtype, torch.float32)
    row_bytes = head.shape[0] * exact.itemsize
    if len(hidden) <= (chunk_tokens or WHOLE_BYTES // row_bytes):
        return _whole(hidden, head, targets, temperature, exact)
    rows = chunk_tokens or max(1, CHUNK_BYTES // row_bytes)
    logp, entropy = _Chunked.apply(hidden, head, targets, temperature, rows)
    return logp, entropy


def _whole(
    hidden: Tensor, head: Tensor, targets: Tensor, temperature: float, exact: torch.dtype
) -> tuple[Tensor, Tensor]:
    logits = (hidden @ head.T).to(exact) / temperature
    log_z = logits.logsumexp(-1)
    logp = logits.gather(-1, targets[:, None]).squeeze(-1) - log_z
    entropy = log_z - (logits.softmax(-1) * logits).sum(-1)
    return logp, entropy


class _Chunked(torch.autograd.Function):
    """The same, ``rows`` rows at a time; nothing of size V is kept for the backward pass.

    ``d logp / dz_v = [v = target] - p_v`` and ``dH / dz_v = -p_v (log p_v + H)``.
    """

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, head: Tensor, targets: Tensor, temperature: float, rows: int
    ) -> tuple[Tensor, Tensor]:
        exact = torch.promote_types(hidden.dtype, torch.float32)
        log_z, logp, entropy = (torch.empty(len(hidden), dtype=exact, device=hidden.device) for _ in range(3))
        for start in range(0, len(hidden), rows):
            part = slice(start, start + rows)
            logits = _logits(hidden[part], head, temperature)
            top = logits.amax(-1)
            chosen = logits.gather(-1, targets[part, None]).squeeze(-1) - top
            weights = logits.sub_(top[:, None]).exp()
            total = weights.sum(-1)
            log_total = total.log()
            torch.sub(chosen, log_total, out=logp[part])
            torch.sub(log_total, weights.mul_(logits).sum(-1) / total, out=entropy[part])
            torch.add(top, log_total, out=log_z[part])
        ctx.save_for_backward(hidden, head, targets, log_z, entropy)
        ctx.temperature, ctx.rows = temperature, rows
        ctx.set_materialize_grads(False)  # an entropy that nobody uses costs nothing
        return logp, entropy

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, d_logp: Tensor | None, d_entropy: Tensor | None) -> tuple[Tensor | None, ...]:
        hidden, head, targets, log_z, entropy = ctx.saved_tensors
        d_logp = torch.zeros_like(log_z) if d_logp is None else d_logp / ctx.temperature
        d_hidden = torch.empty_like(hidden) if ctx.needs_input_grad[0] else None
        # Summed in float32 at least: a sum over chunks in bfloat16 would lose the later ones.
        d_head = torch.zeros_like(head, dtype=log_z.dtype) if ctx.needs_input_grad[1] else None
        for start in range(0, len(hidden), ctx.rows):
            part = slice(start, start + ctx.rows)
            log_p = _logits(hidden[part], head, ctx.temperature).sub_(log_z[part, None])
            if d_entropy is None:
                d_logits = log_p.exp_().mul_(-d_logp[part, None])
            else:
                p = log_p.exp()
                slope = -d_entropy[part, None] / ctx.temperature
                d_logits = log_p.add_(entropy[part, None]).mul_(slope).sub_(d_logp[part, None]).mul_(p)
            d_logits = d_logits.scatter_add_(1, targets[part, None], d_logp[part, None]).to(hidden.dtype)
            if d_hidden is not None:
                torch.mm(d_logits, head, out=d_hidden[part])
            if d_head is not None and head.dtype == d_head.dtype:
                d_head.addmm_(d_logits.T, hidden[part])
            elif d_head is not None:
                d_head += d_logits.T @ hidden[part]
        return d_hidden, None if d_head is None else d_head.to(head.dtype), None, None, None


def _logits(hidden: Tensor, head: Tensor, temperature: float) -> Tensor:
    """Fresh memory, to be written over."""
    logits = (hidden @ head.T).to(torch.promote_types(hidden.dtype, torch.float32))
    return logits if temperature == 1 else logits.div_(temperature)
