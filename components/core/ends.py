"""The tokens at which completions end. A model may have several: one that closes a turn, one that closes a text."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Ends:
    """A completion ends at any of ``ids``; ``trained`` is the one that training puts behind what it teaches."""

    ids: tuple[int, ...]
    trained: int

    def cut(self, ids: Sequence[int]) -> Sequence[int]:
        """The tokens of a completion without the end token behind them."""
        return ids[:-1] if ids and ids[-1] in self.ids else ids


def end_ids(eos_id: int | Sequence[int]) -> tuple[int, ...]:
    """One id or several, as several."""
    return (eos_id,) if isinstance(eos_id, int) else tuple(eos_id)
