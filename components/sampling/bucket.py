"""The past of a decode step whose shapes stay: columns are reserved in buckets, and a device tensor names the next one.

A CUDA graph repeats the kernels it has seen, on the tensors it has seen. So attention runs over the whole bucket, and columns
that are not written yet have weight exp(-inf) = 0: what a row draws is what it draws in :class:`SharedPast`, up to rounding.
"""

import math
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from r1flow.components.sampling.cache import ReservedCache, ReservedLayer, SharedPast

FIRST = 512
"""Columns of the first bucket; each next one has twice as many.

The next bucket costs a capture, about 0.06 s with the step before it, and what it saves is reading columns that nobody has
written. At 64 rows of a 0.5B model 256 such columns are 0.2 GB a token, 0.06 ms of an H100's bandwidth: a first bucket of 256
would save 15 ms in all.
"""


class BucketLayer(ReservedLayer):
    """Keys and values of one layer; all columns are there, and those not written yet hold zeros."""

    def __init__(self, capacity: int, column: Tensor) -> None:
        super().__init__(capacity)
        self._column = column

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        super().lazy_initialization(key_states, value_states)
        assert self.keys is not None
        assert self.values is not None
        self.keys.zero_()  # a weight of 0 hides no NaN
        self.values.zero_()
        self.length = self.capacity

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: object, **kwargs: object
    ) -> tuple[Tensor, Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        assert self.keys is not None
        assert self.values is not None
        self.keys.index_copy_(2, self._column, key_states)
        self.values.index_copy_(2, self._column, value_states)
        return self.keys, self.values

    def grow(self, capacity: int) -> None:
        assert self.keys is not None
        assert self.values is not None
        more = (0, 0, 0, capacity - self.capacity)
        self.keys, self.values = pad(self.keys, more), pad(self.values, more)
        self.length = self.capacity = capacity


class BucketPast(SharedPast):
    """A :class:`SharedPast` in buckets of at most ``most`` columns. ``column`` (1,) is the one that a step writes."""

    def __init__(self, prefill: ReservedCache, pads: Tensor, row_of: Tensor, most: int) -> None:
        self.capacity = min(FIRST, most)
        super().__init__(prefill, pads, row_of, self.capacity)
        self.column = torch.zeros(1, dtype=torch.long, device=pads.device)
        self.own = ReservedCache(len(prefill.layers), self.capacity, partial(BucketLayer, column=self.column))
        self._most = most
        self._number()

    def grow(self) -> None:
        """The next bucket. Tensors are new ones: a graph has to be captured again."""
        self.capacity = min(2 * self.capacity, self._most)
        for layer in self.own.layers:
            layer.grow(self.capacity)
        self._number()

    def step(self) -> dict[str, Any]:
        self._unseen = self._zeros.masked_fill(self._columns > self.column, -math.inf)
        return super().step()

    def _number(self) -> None:
        self._columns = torch.arange(self.capacity, device=self.column.device)
        self._zeros = torch.zeros(self.capacity, device=self.column.device)

    def _newest(self, columns: int) -> Tensor:
        return self.column

    def _written(self, own: Tensor) -> Tensor:
        return own.add_(self._unseen)
