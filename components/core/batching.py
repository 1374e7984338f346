"""From rows of many lengths to padded tensors, wasting little: sort by length, cut by a budget of padded tokens."""

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
