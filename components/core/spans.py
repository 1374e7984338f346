"""Spans of one long row as padded rows of indices: how attention, which works row by row, meets a packed row."""

from collections.abc import Sequence

import torch
from torch import Tensor


def span_rows(spans: Sequence[tuple[int, int]], device: torch.device) -> tuple[Tensor, Tensor]:
    """Spans (start, size) as indices (spans, longest), 0 where there is padding, and which of them are real."""
    starts, sizes = (torch.tensor(column, device=device)[:, None] for column in zip(*spans, strict=True))
    column = torch.arange(int(sizes.max()), device=device)[None]
    real = column < sizes
    return (starts + column) * real, real


def real_places(real: Tensor) -> Tensor | None:
    """Where the real ones lie among the flattened rows; None where all are."""
    return None if bool(real.all()) else real.flatten().nonzero().squeeze(-1)


def pick(tokens: Tensor, rows: Tensor) -> Tensor:
    """(T, heads, size) to (rows, heads, width, size)."""
    return tokens.index_select(0, rows.flatten()).unflatten(0, rows.shape).transpose(1, 2)


def unpick(out: Tensor, kept: Tensor | None) -> Tensor:
    """Back to (tokens, heads, size), row by row, without the padding."""
    flat = out.transpose(1, 2).flatten(0, 1)
    return flat if kept is None else flat.index_select(0, kept)
