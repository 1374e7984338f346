"""Curation from rows to kept rows: shards, evaluation problems out, duplicates out, variants counted, a report.

Contamination goes first: a row that is dropped for it must not stand for others that are clean.
"""

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from r1flow.components.core.schema import QuarantinedRow, Row
from r1flow.components.data.curation.contamination import Match
from r1flow.components.data.curation.describe import Task, describe
from r1flow.components.data.curation.duplicates import Duplicates, find_duplicates, find_variants
from r1flow.components.data.curation.evaluation import Key, dump_problems
from r1flow.components.data.curation.pool import map_shards
from r1flow.components.data.curation.settings import Curation
from r1flow.components.data.curation.shards import Written, read_rows, write_shards
from r1flow.components.data.waterfall import Waterfall


@dataclass(frozen=True)
class Curated:
    """The outcome; rows are numbered in the order in which they came."""

    written: Written
    suites: Mapping[str, int]
    matches: list[Match]
    """Sorted by row; a row may meet several suites."""
    duplicates: Duplicates
    variants: dict[int, int]
    keep: npt.NDArray[np.bool_]
    settings: Curation
    falls: Waterfall
    """Rows before and after each step, as they were counted there."""

    def rows(self) -> Iterator[Row]:
        """The kept rows, in order."""
        start = 0
        for shard, size in zip(self.written.shards, self.written.sizes, strict=True):
            for row, kept in zip(read_rows(shard), self.keep[start : start + size], strict=True):
                if kept:
                    yield row
            start += size

    def names(self) -> Iterator[tuple[str, str]]:
        """Source and id of the kept rows, in order, without reading the rows."""
        start = 0
        for shard, size in zip(self.written.shards, self.written.sizes, strict=True):
            ids = json.loads((shard / "ids.json").read_text(encoding="utf-8"))
            for (row_id, source), kept in zip(ids, self.keep[start : start + size], strict=True):
                if kept:
                    yield source, row_id
            start += size

    def drops(self, match: Match) -> bool:
        return match.rule != "variant" or self.settings.drop_variants

    def counts(self) -> dict[str, int]:
        """The waterfall by reason."""
        reasons = {match.row: match.rule for match in self.matches if match.rule == "variant" and self.drops(match)}
        reasons |= {match.row: match.rule for match in self.matches if match.rule != "variant"}
        contaminated = sum(rule != "variant" for rule in reasons.values())
        counts = {
            "read": self.written.rows + self.written.quarantined,
            "quarantined": self.written.quarantined,
            "contaminated": contaminated,
            "evaluation_variants": len(reasons) - contaminated,
            "duplicates": len(self.duplicates.exact),
            "near_duplicates": len(self.duplicates.near),
            "kept": int(self.keep.sum()),
        }
        heads = set(self.variants.values())
        return counts | {
            "variants": len(self.variants) + len(heads),
            "variant_groups": len(heads),
            "evaluation": sum(self.suites.values()),
        }


def curate(
    rows: Iterable[Row | QuarantinedRow],
    suites: Mapping[str, Iterable[Row]],
    settings: Curation,
    *,
    work: Path,
    quarantine: Path,
    workers: int = 1,
    key: Key | None = None,
) -> Curated:
    """Curate ``rows``, which come source by source, the better source first, against the problems of ``suites``.

    ``work`` is a directory for shards that may go afterwards; bad rows go to the file ``quarantine``. ``key`` is a module's
    own function, or None. The outcome is the same for any number of ``workers``.
    """
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    written = write_shards(rows, work / "shards", quarantine)
    sizes = dump_problems(suites, key, work / "problems.jsonl")
    digest = hashlib.sha256((work / "problems.jsonl").read_bytes()).hexdigest()
    tasks = [Task(shard, work / "problems.jsonl", digest, settings, key) for shard in written.shards]
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(written.sizes, dtype=np.int64)]).tolist()
    matches = [
        Match(match.row + start, match.suite, match.problem, match.rule, match.similarity, match.shared)
        for start, found in zip(starts, map_shards(describe, tasks, workers), strict=False)
        for match in found
    ]
    falls = Waterfall()
    falls.step("read", written.rows + written.quarantined, written.rows, quarantined=written.quarantined)
    keep = np.ones(written.rows, bool)
    met = {match.row for match in matches if match.rule != "variant" or settings.drop_variants}
    keep[list(met)] = False
    falls.step("contaminated", written.rows, int(keep.sum()), dropped=len(met))
    clean = int(keep.sum())
    duplicates = find_duplicates(written.shards, np.flatnonzero(keep), settings)
    keep[[*duplicates.exact, *duplicates.near]] = False
    falls.step("duplicates", clean, int(keep.sum()), dropped=len(duplicates.exact) + len(duplicates.near))
    variants = find_variants(written.shards, np.flatnonzero(keep), settings)
    return Curated(written, sizes, matches, duplicates, variants, keep, settings, falls)
