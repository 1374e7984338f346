"""Log-probabilities and entropy from hidden states, in chunks, at completion positions only.

A [tokens x vocabulary] tensor is what runs a card out of memory (310 MB for 2 x 256 tokens of a 0.6B model): here it
exists for one chunk at a time, in the forward pass and, through recomputation, in the backward pass.
"""

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint


def token_logprobs(
    hidden: Tensor, head: Tensor, targets: Tensor, *, temperature: float = 1.0, chunk_tokens: int = 65536
) -> tuple[Tensor, Tensor]:
    """Log-probability of each target and the entropy of the distribution it was drawn from, in nats, float32.

    ``log p(v) = z_v - logsumexp(z)``, ``H = logsumexp(z) - sum_v softmax(z)_v z_v`` with ``z = hidden @ head.T / T``.

    Shapes: ``hidden`` (N, D), ``head`` (V, D), ``targets`` (N,); returns two tensors (N,). The entropy carries a
    gradient, so that it can be a bonus. ``chunk_tokens`` bounds the rows of z that exist at once.
    """
    if hidden.shape[0] <= chunk_tokens:
        return _chunk(hidden, head, targets, temperature)
    logps, entropies = [], []
    for rows, wanted in zip(hidden.split(chunk_tokens), targets.split(chunk_tokens), strict=True):
        logp, entropy = checkpoint(_chunk, rows, head, wanted, temperature, use_reentrant=False)
        logps.append(logp)
        entropies.append(entropy)
    return torch.cat(logps), torch.cat(entropies)


def _chunk(hidden: Tensor, head: Tensor, targets: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    logits = (hidden @ head.T).float() / temperature
    log_z = logits.logsumexp(-1)
    logp = logits.gather(-1, targets[:, None]).squeeze(-1) - log_z
    entropy = log_z - (logits.softmax(-1) * logits).sum(-1)
    return logp, entropy
