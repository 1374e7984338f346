"""A key-value cache with its room reserved: a decode step writes one column instead of copying the past."""

from torch import Tensor
from transformers import Cache
from transformers.cache_utils import CacheLayerMixin


class ReservedLayer(CacheLayerMixin):
    """Keys and values of one layer in buffers of ``capacity`` positions, shape (rows, heads, capacity, head size)."""

    is_sliding = False

    def __init__(self, capacity: int) -> None:
        super().__init__()
        self.capacity = capacity
        self.length = 0

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        rows, heads, _, size = key_states.shape
        self.keys = key_states.new_empty(rows, heads, self.capacity, size)
        self.values = value_states.new_empty(rows, heads, self.capacity, size)
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

    def __init__(self, num_layers: int, capacity: int) -> None:
        super().__init__(layers=[ReservedLayer(capacity) for _ in range(num_layers)])

    def select_rows(self, rows: Tensor) -> None:
        for layer in self.layers:
            layer.select_rows(rows)
