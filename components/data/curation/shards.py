"""Rows in shards on disk, and arrays beside them.

A shard is closed after ``ROWS`` rows or ``CHARACTERS`` characters: its bounds follow from the rows alone, so everything that
is made shard by shard is the same for any number of workers.
"""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from r1flow.components.core.schema import QuarantinedRow, Row
from r1flow.components.data.curation.hashing import Hashes, Offsets
from r1flow.components.data.files import load_rows

ROWS = 5000
CHARACTERS = 8_000_000
_OPEN_FILES = 200


@dataclass
class Written:
    """What came in: the shards' directories in order, the rows in each, and how many rows were bad."""

    shards: list[Path] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    quarantined: int = 0

    @property
    def rows(self) -> int:
        return sum(self.sizes)


def write_shards(rows: Iterable[Row | QuarantinedRow], work: Path, quarantine: Path) -> Written:
    """Rows to shards under ``work``, in their order; bad ones to the file ``quarantine``. One shard is in memory at a time."""
    written = Written()
    lines: list[str] = []
    characters = 0

    def close() -> None:
        shard = work / f"{len(written.shards):06d}"
        shard.mkdir(parents=True, exist_ok=True)
        (shard / "rows.jsonl").write_text("".join(lines), encoding="utf-8")
        written.shards.append(shard)
        written.sizes.append(len(lines))
        lines.clear()

    with quarantine.open("w", encoding="utf-8") as bad:
        for row in rows:
            if isinstance(row, QuarantinedRow):
                bad.write(json.dumps(asdict(row)) + "\n")
                written.quarantined += 1
                continue
            lines.append(row.model_dump_json() + "\n")
            characters += len(lines[-1])
            if len(lines) == ROWS or characters >= CHARACTERS:
                close()
                characters = 0
    if lines:
        close()
    return written


def read_rows(shard: Path) -> list[Row]:
    return load_rows(shard / "rows.jsonl")


def save(shard: Path, name: str, array: npt.NDArray[np.generic]) -> None:
    """Whole or not at all: a worker may die while it writes."""
    part = shard / f"{name}.part"
    with part.open("wb") as stream:
        np.save(stream, array, allow_pickle=False)
    os.replace(part, shard / f"{name}.npy")


def load(shard: Path, name: str) -> npt.NDArray[np.generic]:
    return np.load(shard / f"{name}.npy", allow_pickle=False)


def column(shards: Sequence[Path], name: str) -> Hashes:
    """One array over all shards."""
    return np.concatenate([load(shard, name) for shard in shards]) if shards else np.zeros(0, np.uint64)


class Band:
    """The keys of one band over all shards, read from files that hold all bands."""

    def __init__(self, shards: Sequence[Path], name: str, num: int) -> None:
        self._shards, self._name, self._num = shards, name, num

    def __len__(self) -> int:
        return self._num

    def __iter__(self) -> Iterator[Hashes]:
        for band in range(self._num if self._shards else 0):
            yield np.concatenate([self._load(shard)[band] for shard in self._shards])

    def _load(self, shard: Path) -> npt.NDArray[np.generic]:
        return np.load(shard / f"{self._name}.npy", mmap_mode="r", allow_pickle=False)


class Sets:
    """Sets of hashes on disk, any row's at a time: ``parts`` sets a row. They would not fit into memory."""

    def __init__(self, shards: Sequence[Path], name: str, parts: int) -> None:
        self._shards, self._name, self._parts = shards, name, parts
        counts = [load(shard, f"{name}.offsets") for shard in shards]
        self._first = np.concatenate([np.zeros(1, np.int64), np.cumsum([(len(c) - 1) // parts for c in counts])])
        self._offsets: list[Offsets] = [c.astype(np.int64) for c in counts]
        self._open: dict[int, int] = {}

    def __enter__(self) -> "Sets":
        return self

    def __exit__(self, *_: object) -> None:
        for descriptor in self._open.values():
            os.close(descriptor)
        self._open.clear()

    def of(self, row: int) -> tuple[frozenset[int], ...]:
        shard = int(np.searchsorted(self._first, row, side="right")) - 1
        place = (row - int(self._first[shard])) * self._parts
        bounds = self._offsets[shard][place : place + self._parts + 1]
        begin, end = int(bounds[0]) * 8, int(bounds[-1]) * 8
        values = np.frombuffer(os.pread(self._descriptor(shard), end - begin, begin), np.uint64).tolist()
        cuts = (bounds - bounds[0]).tolist()
        return tuple(frozenset(values[cuts[part] : cuts[part + 1]]) for part in range(self._parts))

    def _descriptor(self, shard: int) -> int:
        if shard not in self._open:
            if len(self._open) >= _OPEN_FILES:
                os.close(self._open.pop(next(iter(self._open))))
            self._open[shard] = os.open(self._shards[shard] / f"{self._name}.bin", os.O_RDONLY)
        return self._open[shard]


def save_sets(shard: Path, name: str, hashes: Hashes, offsets: Offsets) -> None:
    part = shard / f"{name}.bin.part"
    part.write_bytes(hashes.astype(np.uint64).tobytes())
    os.replace(part, shard / f"{name}.bin")
    save(shard, f"{name}.offsets", offsets)
