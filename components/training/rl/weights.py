"""Token weights: what a loss over tokens is divided by.

A weight holds the whole normalisation, counted over the whole batch, so that losses of micro-batches simply add up and any
cut gives the same gradient. ``lengths`` (rows,) are token counts of some of the batch's completions; the result is flat
over their tokens, shape (sum of lengths,), float64.
"""

from typing import Literal

import torch
from torch import Tensor

Normalization = Literal["sequence", "token", "constant"]


def token_weights(
    lengths: Tensor, normalization: Normalization, *, completions: int, tokens: int, max_tokens: int
) -> Tensor:
    """The weight of every token; ``completions`` and ``tokens`` count the *whole* batch.

    ``sequence``: ``1 / (n |o_i|)``, the mean over completions of the mean over tokens (GRPO, DeepSeekMath eq. 3; GSPO).
    ``token``: ``1 / sum_i |o_i|``, the mean over tokens (DAPO, arXiv 2503.14476, eq. 8; CISPO).
    ``constant``: ``1 / (n L_max)`` with the constant ``L_max = max_tokens`` (Dr. GRPO, arXiv 2503.20783), so that a
    token's weight does not depend on how long its completion is.
    """
    if normalization == "sequence":
        return (1.0 / (lengths.double() * completions)).repeat_interleave(lengths)
    divisor = tokens if normalization == "token" else completions * max_tokens
    return torch.full((int(lengths.sum()),), 1.0 / max(1, divisor), dtype=torch.float64, device=lengths.device)
