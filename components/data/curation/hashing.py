"""Tokens and shingles as 64-bit numbers, many texts at a time.

A text is a run of token hashes; texts lie one after the other in one array, ``offsets[i]`` to ``offsets[i + 1]`` (CSR).
Hashes are the same in every process and on every machine. That two of the few hundred shingles of a pair have one hash
has probability 1e-15, which is what "exact" means where sets of hashes are compared.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xxhash

Hashes = npt.NDArray[np.uint64]
Offsets = npt.NDArray[np.int64]
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FACTOR = np.uint64(0xD6E8FEB86659FD93)
_MOST_WORDS = 1_000_000


def hash_text(text: str) -> int:
    return xxhash.xxh3_64_intdigest(text.encode())


def mix(values: Hashes) -> Hashes:
    """A bijection under which sums and products of the results show no pattern (splitmix64's finaliser)."""
    mixed = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


@dataclass(frozen=True)
class Texts:
    """Several texts as hashes of their tokens."""

    hashes: Hashes
    offsets: Offsets

    @property
    def lengths(self) -> Offsets:
        return np.diff(self.offsets)

    def owners(self) -> npt.NDArray[np.int64]:
        """The text that every token belongs to."""
        return np.repeat(np.arange(len(self.offsets) - 1), self.lengths)

    def sums(self, values: Hashes) -> Hashes:
        """The sum of ``values`` over every text, modulo 2^64."""
        totals = np.concatenate([np.zeros(1, np.uint64), np.cumsum(values, dtype=np.uint64)])
        return totals[self.offsets[1:]] - totals[self.offsets[:-1]]

    def in_order(self) -> Hashes:
        """One hash for the sequence of every text's tokens."""
        places = np.arange(len(self.hashes)) - self.offsets[:-1].repeat(self.lengths)
        return mix(
            self.sums(mix(self.hashes ^ mix(places.astype(np.uint64) * _GOLDEN))) + self.lengths.astype(np.uint64)
        )

    def runs(self, width: int, *, short: bool) -> "Texts":
        """The hash of every run of ``width`` tokens; with ``short``, a text of fewer tokens is one run, else none."""
        if not len(self.hashes):
            return self
        lengths = self.lengths
        padded = np.concatenate([self.hashes, np.zeros(width, np.uint64)])
        last = self.offsets[1:].repeat(lengths)
        index = np.arange(len(self.hashes))
        total = np.zeros(len(self.hashes), np.uint64)
        for step in range(width):  # past the end of its text a token counts as zero
            part = np.where(index + step < last, padded[step : step + len(index)], np.uint64(0))
            total = total * _FACTOR + part
        begins = (index + width <= last) | (short & (index == self.offsets[:-1].repeat(lengths)))
        counts = np.add.reduceat(np.append(begins, False), np.minimum(self.offsets[:-1], len(begins))).astype(np.int64)
        counts[lengths == 0] = 0
        return Texts(mix(total[begins]), np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)]))

    def sets(self) -> "Texts":
        """Every text's hashes sorted, each once."""
        hashes = self.hashes.copy()
        bounds = self.offsets.tolist()
        for begin, end in itertools.pairwise(bounds):  # many short sorts take a tenth of the time of one over all
            hashes[begin:end].sort()
        first = np.ones(len(hashes), bool)
        first[1:] = hashes[1:] != hashes[:-1]
        first[self.offsets[:-1][self.lengths > 0]] = True
        before = np.concatenate([np.zeros(1, np.int64), np.cumsum(first)])
        return Texts(hashes[first], before[self.offsets])

    def of(self, index: int) -> Hashes:
        return self.hashes[self.offsets[index] : self.offsets[index + 1]]


class Vocabulary:
    """Strings met so far, each with a row of hashes that is computed once: texts repeat their words.

    ``describe`` gives a string's row; None leaves the string out.
    """

    def __init__(self, describe: Callable[[str], tuple[int, ...] | None], width: int) -> None:
        self._describe, self._width = describe, width
        self._clear()

    def _clear(self) -> None:
        self._places = _Places(self._new)
        self._rows: list[tuple[int, ...]] = []
        self._table = np.zeros((0, self._width), np.uint64)

    def read(self, texts: Sequence[Sequence[str]]) -> tuple[npt.NDArray[np.uint64], Offsets]:
        """The rows of hashes of all strings of all texts, and the texts' offsets."""
        if len(self._places) > _MOST_WORDS:
            self._clear()
        get = self._places.__getitem__
        held_places: list[int] = []
        for text in texts:
            held_places.extend(map(get, text))
        places = np.array(held_places, np.int64)
        lengths = np.fromiter(map(len, texts), np.int64, len(texts))
        if len(self._rows) > len(self._table):
            fresh = np.array(self._rows[len(self._table) :], np.uint64).reshape(-1, self._width)
            self._table = np.concatenate([self._table, fresh])
        held = places >= 0
        before = np.concatenate([np.zeros(1, np.int64), np.cumsum(held)])
        return self._table[places[held]], before[np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])]

    def _new(self, text: str) -> int:
        row = self._describe(text)
        if row is None:
            return -1
        self._rows.append(row)
        return len(self._rows) - 1


class _Places(dict[str, int]):
    """A dict that asks for what it does not have: the look-up of known words stays in C."""

    def __init__(self, new: Callable[[str], int]) -> None:
        super().__init__()
        self._new = new

    def __missing__(self, text: str) -> int:
        self[text] = place = self._new(text)
        return place
