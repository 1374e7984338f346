"""Exact and near-duplicates, and numeric variants, over all shards.

A *near-duplicate* has Jaccard of at least ``similar`` with a kept earlier row, in the prompt and, where there is one, in the
completion, and the same figures or the same answer. Rows that differ in both are *variants* of one problem: they are
kept and grouped by their masked text.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from r1flow.components.data.curation.hashing import Hashes
from r1flow.components.data.curation.leaders import Groups, Rows, buckets, lead
from r1flow.components.data.curation.settings import BANDS, Curation
from r1flow.components.data.curation.shards import Band, Sets, column

_REMEMBERED = 20_000


@dataclass(frozen=True)
class Duplicates:
    """Dropped rows: the kept row that each repeats, and the Jaccard with it (1.0 where the text is the same)."""

    exact: dict[int, int]
    near: dict[int, int]
    similarity: dict[int, float]
    compared: int
    crowded: int


def find_duplicates(shards: Sequence[Path], active: Rows, settings: Curation) -> Duplicates:
    """Among ``active`` rows. Every dropped row is named with a row that is kept, of which it is verified to be a duplicate."""
    firsts, repeats = same(column(shards, "text"), active)
    near = Groups()
    if settings.near:
        splits = column(shards, "answer"), column(shards, "figures")
        pairs = buckets(Band(shards, "bands", BANDS), firsts, splits)
        with Sets(shards, "shingles", parts=2) as sets:
            near = lead(*pairs, alike(sets, settings.similar))
    moved = {row: near.leader[first] for row, first in repeats.items() if first in near.leader}
    return Duplicates(
        {row: first for row, first in repeats.items() if row not in moved},
        near.leader | moved,
        near.similarity | {row: near.similarity[repeats[row]] for row in moved},
        near.compared,
        near.crowded,
    )


def find_variants(shards: Sequence[Path], kept: Rows, settings: Curation) -> dict[int, int]:
    """The head of every kept row that differs from an earlier one, its head, in figures alone or in little else."""
    if not settings.near:
        return {}
    figures = column(shards, "figures")
    heads, repeats = same(column(shards, "skeleton"), kept)
    with Sets(shards, "masked", parts=1) as sets:
        similar = alike(sets, settings.similar)
        groups = lead(
            *buckets(Band(shards, "masked_bands", BANDS), heads),
            lambda row, head: similar(row, head) if figures[row] != figures[head] else None,
        )
    return groups.leader | {row: groups.leader.get(head, head) for row, head in repeats.items()}


def same(values: Hashes | npt.NDArray[np.bytes_], active: Rows) -> tuple[Rows, dict[int, int]]:
    """The first row of every value, in order, and for every other row that first one."""
    _, first, group = np.unique(values[active], return_index=True, return_inverse=True)
    others = np.flatnonzero(first[group] != np.arange(len(active)))
    return active[np.sort(first)], dict(
        zip(active[others].tolist(), active[first[group[others]]].tolist(), strict=True)
    )


def alike(sets: Sets, least: float) -> Callable[[int, int], float | None]:
    """The exact Jaccard of two rows where it is at least ``least``; the smaller one where a row has several sets."""
    read = lru_cache(_REMEMBERED)(sets.of)

    def compare(row: int, other: int) -> float | None:
        similarity = 1.0
        for mine, theirs in zip(read(row), read(other), strict=True):
            if not mine and not theirs:
                continue
            most = min(len(mine), len(theirs))
            if most < least * max(len(mine), len(theirs)):
                return None
            both = len(mine & theirs)
            similarity = min(similarity, both / (len(mine) + len(theirs) - both))
            if similarity < least:
                return None
        return similarity if any(read(row)) else None

    return compare
