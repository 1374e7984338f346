"""Who stands for whom: rows in order, each joins the first leader it is verified to resemble, or leads itself.

A row only ever joins a *leader*, so no chain of small differences brings two unlike rows together. The outcome is that of the
plain quadratic loop over all earlier leaders, as far as LSH brings a pair together at all; ``buckets`` says which
pairs those are.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from r1flow.components.data.curation.hashing import Hashes, mix

MOST_LEADERS = 64
"""So many leaders of a bucket are compared with: a phrase that many rows share must not make the time quadratic."""

Rows = npt.NDArray[np.int64]


@dataclass
class Groups:
    """``leader[row]`` and the similarity to it, for rows that joined one."""

    leader: dict[int, int] = field(default_factory=dict)
    similarity: dict[int, float] = field(default_factory=dict)
    compared: int = 0
    crowded: int = 0
    """Buckets that had more leaders than are compared with."""


def buckets(bands: Iterable[Hashes], active: Rows, splits: Sequence[Hashes] = ()) -> tuple[Rows, Rows]:
    """(row, bucket) for every bucket of two rows or more, sorted by row: rows of one key in one band.

    ``splits`` are columns of which two rows must share at least one: each band is bucketed once per split.
    """
    rows: list[npt.NDArray[np.int32]] = []
    numbers: list[npt.NDArray[np.int32]] = []
    count = 0
    for keys in bands:
        for split in splits or (None,):
            key = keys[active] if split is None else mix(keys[active] + mix(split[active]))
            order = np.argsort(key, kind="stable")
            fresh = np.ones(len(order), bool)
            fresh[1:] = key[order[1:]] != key[order[:-1]]
            number = np.cumsum(fresh) - 1
            shared = np.bincount(number)[number] > 1 if len(number) else fresh
            _, dense = np.unique(number[shared], return_inverse=True)
            rows.append(active[order[shared]].astype(np.int32))
            numbers.append((dense + count).astype(np.int32))
            count += int(dense[-1]) + 1 if len(dense) else 0
    if not rows:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    row, number = np.concatenate(rows), np.concatenate(numbers)
    order = np.argsort(row, kind="stable")
    return row[order].astype(np.int64), number[order].astype(np.int64)


def lead(row: Rows, bucket: Rows, alike: Callable[[int, int], float | None]) -> Groups:
    """Every row joins the earliest leader in its buckets for which ``alike(row, leader)`` is a similarity, not None."""
    groups = Groups()
    leaders: dict[int, list[int]] = {}
    crowded: set[int] = set()
    bounds = np.flatnonzero(np.diff(row)) + 1
    for begin, end in zip([0, *bounds.tolist()], [*bounds.tolist(), len(row)], strict=True):
        if begin == end:
            break
        this, mine = int(row[begin]), bucket[begin:end].tolist()
        for leader in sorted({other for number in mine for other in leaders.get(number, ())}):
            groups.compared += 1
            similarity = alike(this, leader)
            if similarity is not None:
                groups.leader[this], groups.similarity[this] = leader, similarity
                break
        else:
            for number in mine:
                known = leaders.setdefault(number, [])
                if len(known) < MOST_LEADERS:
                    known.append(this)
                else:
                    crowded.add(number)
    groups.crowded = len(crowded)
    return groups
