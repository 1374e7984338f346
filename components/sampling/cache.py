"""A key-value cache with its room reserved: a decode step writes one column instead of copying the past."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module
from transformers import Cache
from transformers.cache_utils import CacheLayerMixin

from r1flow.components.core.attention import Rule


class ReservedLayer(CacheLayerMixin):
    """Keys and values of one layer in buffers of ``capacity`` positions, shape (rows, heads, capacity, size)."""

    is_sliding = False

    def __init__(self, capacity: int) -> None:
        super().__init__()
        self.capacity = capacity
        self.length = 0

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        self.keys, self.values = (
            states.new_empty(*states.shape[:2], self.capacity, states.shape[3]) for states in (key_states, value_states)
        )
        self.is_initialized = True

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: object, **kwargs: object
    ) -> tuple[Tensor, Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        assert self.keys is not None
        assert self.values is not None
        end = self.length + key_states.shape[2]
        self.keys[:, :, self.length : end] = key_states
        self.values[:, :, self.length : end] = value_states
        self.length = end
        return self.keys[:, :, :end], self.values[:, :, :end]

    def select_rows(self, rows: Tensor) -> None:
        """Keep only ``rows``, in that order (a row may be named several times: one prompt, many samples)."""
        assert self.keys is not None
        assert self.values is not None
        kept = (self.keys, self.values)
        self.keys, self.values = (buffer.new_empty(len(rows), *buffer.shape[1:]) for buffer in kept)
        for new, old in zip((self.keys, self.values), kept, strict=True):
            new[:, :, : self.length] = old[:, :, : self.length].index_select(0, rows)

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.length + query_length, 0

    def get_seq_length(self) -> int:
        return self.length

    def get_max_length(self) -> int:
        return self.capacity


class ReservedCache(Cache):
    """One :class:`ReservedLayer` per decoder layer."""

    def __init__(self, num_layers: int, capacity: int, layer: Callable[[int], ReservedLayer] = ReservedLayer) -> None:
        super().__init__(layers=[layer(capacity) for _ in range(num_layers)])

    def select_rows(self, rows: Tensor) -> None:
        for layer in self.layers:
            layer.select_rows(rows)


class CopiedPast:
    """The past of a decode loop for any architecture, in a cache of its own kind: each row has its own copy of its prompt's."""

    def __init__(self, prefill: Cache, pads: Tensor, row_of: Tensor, width: int, more: int) -> None:
        self.own = prefill
        self.own.reorder_cache(row_of)
        self._visible = torch.arange(width + more, device=pads.device)[None] >= pads[:, None]
        self._length = width

    def select_rows(self, rows: Tensor) -> None:
        self.own.reorder_cache(rows)
        self._visible = self._visible[rows]

    def step(self) -> dict[str, Any]:
        """What the next forward pass of one token per row takes: the columns that are no padding."""
        self._length += 1
        return {"mask": self._visible[:, : self._length]}


class SharedPast:
    """Keys and values of a decode loop in which many rows continue one prompt: the prompt's stand there once.

    A step's queries of all rows of a prompt meet its keys in one matrix product, and their own tokens' in another;
    ``attend`` (see :mod:`r1flow.components.core.attention`) puts both under one softmax.

    ``prefill`` holds ``prompts`` (left-padded to one width, ``pads`` columns each); ``row_of`` (rows,) names each row's.
    """

    def __init__(self, prefill: ReservedCache, pads: Tensor, row_of: Tensor, capacity: int) -> None:
        self.own = ReservedCache(len(prefill.layers), capacity)
        self._prompts = [(layer.keys, layer.values) for layer in prefill.layers]
        width = self._prompts[0][0].shape[2]
        hidden = torch.arange(width, device=pads.device)[None] < pads[:, None]
        self._bias = torch.zeros(hidden.shape, device=pads.device).masked_fill(hidden, -math.inf)
        self._row_of = row_of
        self._arrange()

    def select_rows(self, rows: Tensor) -> None:
        """Keep only ``rows``, in that order; prompts that nobody continues go too."""
        if self.own.get_seq_length():
            self.own.select_rows(rows)
        self._row_of = self._row_of[rows]
        left, self._row_of = self._row_of.unique(return_inverse=True)
        if len(left) < len(self._bias):
            self._prompts = [(keys[left], values[left]) for keys, values in self._prompts]
            self._bias = self._bias[left]
        self._arrange()

    def step(self) -> dict[str, Any]:
        """What the next forward pass of one token per row takes."""
        return {"attend": self.attend}

    def _arrange(self) -> None:
        """Rows as a table (prompts, most rows of one prompt): ``_slots`` names each place's row, ``_place`` the reverse."""
        counts = torch.bincount(self._row_of, minlength=len(self._bias))
        self._table = (len(counts), int(counts.max()))
        order = self._row_of.argsort(stable=True)
        within = torch.arange(len(order), device=order.device) - (counts.cumsum(0) - counts)[self._row_of[order]]
        self._place = torch.empty_like(order)
        self._place[order] = self._row_of[order] * self._table[1] + within
        self._slots = order.new_zeros(self._table[0] * self._table[1])
        self._slots[self._place[order]] = order
        self._dense = bool((self._place == torch.arange(len(order), device=order.device)).all())
        self._dense = self._dense and len(self._slots) == len(order)
        self._padded = bool((self._bias < 0).any())

    def attend(self, module: Module, query: Tensor, key: Tensor, value: Tensor, rule: Rule) -> Tensor:
        prompt_keys, prompt_values = self._prompts[module.layer_idx]  # type: ignore[index]
        rows, heads = query.shape[:2]
        shared = heads // key.shape[1]
        grouped = (query[:, :, 0] * rule.scaling).unflatten(1, (-1, shared))  # (rows, key-value heads, shared, size)
        on_prompt = rule.capped(scores(self._by_prompt(grouped), prompt_keys))
        if self._padded:
            on_prompt += self._bias[:, None, None].to(on_prompt.dtype)
        own = self._written(rule.capped(scores(grouped, key)))
        width = prompt_keys.shape[2]
        if rule.window is not None:
            on_prompt, own = self._within(rule.window, on_prompt, own)
        together = torch.cat([self._by_row(on_prompt, shared), own], dim=-1)
        weights = rule.weights(together.flatten(1, 2)[:, :, None]).reshape(together.shape).to(value.dtype)
        out = self._by_row(self._by_prompt(weights[..., :width]) @ prompt_values, shared) + weights[..., width:] @ value
        return out.reshape(rows, 1, heads, -1)

    def _newest(self, columns: int) -> int | Tensor:
        """The column that this step has written, of those that attention is given."""
        return columns - 1

    def _written(self, own: Tensor) -> Tensor:
        """Scores on own tokens, with nothing for columns that are not written yet."""
        return own

    def _within(self, window: int, on_prompt: Tensor, own: Tensor) -> tuple[Tensor, Tensor]:
        """Scores of keys within the window. A prompt ends at its last column, wherever it begins."""
        width, columns = on_prompt.shape[-1], own.shape[-1]
        newest = self._newest(columns)
        place = torch.arange(width + columns, device=own.device)
        gone = place <= width + newest - window
        return on_prompt.masked_fill(gone[:width], -math.inf), own.masked_fill(gone[width:], -math.inf)

    def _by_prompt(self, rows: Tensor) -> Tensor:
        """(rows, key-value heads, shared, X) to (prompts, key-value heads, places x shared, X)."""
        placed = rows if self._dense else rows.index_select(0, self._slots)
        return placed.unflatten(0, self._table).transpose(1, 2).flatten(2, 3)

    def _by_row(self, placed: Tensor, shared: int) -> Tensor:
        rows = placed.unflatten(2, (-1, shared)).transpose(1, 2).flatten(0, 1)
        return rows if self._dense else rows.index_select(0, self._place)


def scores(query: Tensor, key: Tensor) -> Tensor:
    """``query @ key^T`` over the last two of four dimensions.

    On a GPU bfloat16 factors give float32 scores: rounded to bfloat16 a score of 10 is off by 0.03, and the trainer's fused
    attention does not round there.
    """
    if query.is_cuda and query.dtype == torch.bfloat16:
        product = torch.bmm(query.flatten(0, 1), key.flatten(0, 1).transpose(1, 2), out_dtype=torch.float32)
        return product.unflatten(0, query.shape[:2])
    return query @ key.transpose(-1, -2)
