"""From rows of many lengths to tensors, wasting little: padded rows of like length, and spans of one packed row.

Rows are sorted by length and cut by a budget of padded tokens. Of a packed row attention alone, which works row by row,
needs padded rows again: spans say where its documents lie.
"""

from collections.abc import Sequence

import torch
from torch import Tensor


def micro_batches(lengths: Sequence[int], micro_tokens: int) -> list[list[int]]:
    """Indices grouped so that rows x longest row <= ``micro_tokens`` in every group (a single longer row stands alone).

    >>> micro_batches([3, 9, 4, 8], micro_tokens=18)
    [[0, 2], [3, 1]]
    """
    groups: list[list[int]] = []
    current: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda i: (lengths[i], i)):
        if current and (len(current) + 1) * lengths[index] > micro_tokens:
            groups.append(current)
            current = []
        current.append(index)
    return groups + ([current] if current else [])


def pad_right(rows: Sequence[Sequence[int]], value: int) -> Tensor:
    """Rows as one tensor (rows, longest), filled with ``value`` behind each row's end."""
    longest = max(len(row) for row in rows)
    return torch.tensor([[*row, *[value] * (longest - len(row))] for row in rows], dtype=torch.long)


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
