"""Reflection, over training: how often a policy's completions reflect, backtrack and check themselves, and since when.

Computed from a lake alone: by step and by how hard the problem is, and every marker's first occurrence with its place.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from r1flow.components.core.verdict import Verdict
from r1flow.components.rewards.markers import KINDS, Finder
from r1flow.components.store.rollouts import lake

MOST = 200_000
"""Completions of a stage that are read; of a larger lake every n-th step is."""
BATCH = 1024
"""Completions in memory at a time."""
BANDS = ("0", "0 to 0.2", "0.2 to 0.8", "0.8 to 1")
"""Problems by the share of their completions in this stage that are correct: 0, then up to 0.2, to 0.8, to 1."""
AROUND = 60
"""Characters of a completion on either side of a marker's first occurrence."""
STEPS = pa.schema(
    [("stage", pa.string()), ("artifact", pa.string()), ("step", pa.int32()), ("band", pa.string())]
    + [(name, pa.int64()) for name in ("completions", "correct", "tokens")]
    + [(f"{kind}_{of}", pa.int64()) for kind in KINDS for of in ("completions", "markers")]
)
WORDS = pa.schema(
    [(name, pa.string()) for name in ("stage", "artifact", "language", "kind", "marker")]
    + [("occurrences", pa.int64()), ("completions", pa.int64()), ("first_step", pa.int32())]
    + [("prompt_id", pa.string()), ("sample", pa.int32()), ("excerpt", pa.string())]
)


@dataclass
class Word:
    """A marker: how often it occurs, in how many completions, and where first."""

    step: int
    prompt_id: str
    sample: int
    excerpt: str
    occurrences: int = 0
    completions: int = 0


@dataclass
class Tracked:
    """What a lake says. ``steps``: sums by (step, band); ``words`` by (language, kind, marker); ``every``: steps read."""

    steps: dict[tuple[int, str], dict[str, int]] = field(default_factory=dict)
    words: dict[tuple[str, str, str], Word] = field(default_factory=dict)
    every: int = 1


def track(directory: Path, finder: Finder) -> Tracked:
    """Read a lake once for the problems' pass rates and once for the texts of its completions."""
    bands = difficulty(directory)
    found = Tracked(every=_stride(directory))
    for row in _rows(directory, found.every):
        sums = found.steps.setdefault((row["step"], bands[row["prompt_id"]]), dict.fromkeys(STEPS.names[4:], 0))
        sums["completions"] += 1
        sums["correct"] += row["verdict"] == Verdict.CORRECT
        sums["tokens"] += row["num_tokens"]
        counts = finder.count(row["text"])
        for kind in KINDS:
            markers = sum(number for (_, of, _), number in counts.items() if of == kind)
            sums[f"{kind}_markers"] += markers
            sums[f"{kind}_completions"] += markers > 0
        for key, number in counts.items():
            if key not in found.words:
                around = excerpt(row["text"], finder.first(row["text"], *key))
                found.words[key] = Word(row["step"], row["prompt_id"], row["sample"], around)
            found.words[key].occurrences += number
            found.words[key].completions += 1
    return found


def difficulty(directory: Path) -> dict[str, str]:
    """The band of every problem of the lake."""
    solved: dict[str, list[int]] = {}
    for row in lake.read(directory, ["prompt_id", "verdict"]):
        tally = solved.setdefault(row["prompt_id"], [0, 0])
        tally[0] += row["verdict"] == Verdict.CORRECT
        tally[1] += 1
    return {name: band(right / number) for name, (right, number) in solved.items()}


def band(rate: float) -> str:
    """The band of a pass rate.

    >>> band(0.0), band(0.2), band(0.5), band(1.0)
    ('0', '0 to 0.2', '0.2 to 0.8', '0.8 to 1')
    """
    return BANDS[0] if rate <= 0 else BANDS[1] if rate <= 0.2 else BANDS[2] if rate <= 0.8 else BANDS[3]


def excerpt(text: str, place: int) -> str:
    """What stands around ``place``."""
    start, end = max(0, place - AROUND), place + AROUND
    return ("\u2026" if start else "") + text[start:end] + ("\u2026" if end < len(text) else "")


def step_rows(stage: str, artifact: str, tracked: Tracked) -> list[dict[str, Any]]:
    """The table ``aha`` of one stage, in order of steps."""
    return [
        {"stage": stage, "artifact": artifact, "step": step, "band": of, **sums}
        for (step, of), sums in sorted(tracked.steps.items())
    ]


def word_rows(stage: str, artifact: str, tracked: Tracked) -> list[dict[str, Any]]:
    """The table ``aha_words`` of one stage, the earliest first."""
    ordered = sorted(tracked.words.items(), key=lambda pair: (pair[1].step, pair[0]))
    return [
        {
            "stage": stage,
            "artifact": artifact,
            "language": language,
            "kind": kind,
            "marker": marker,
            "occurrences": word.occurrences,
            "completions": word.completions,
            "first_step": word.step,
            "prompt_id": word.prompt_id,
            "sample": word.sample,
            "excerpt": word.excerpt,
        }
        for (language, kind, marker), word in ordered
    ]


def write_tables(directory: Path, tracked: Mapping[str, tuple[str, Tracked]]) -> None:
    """``aha.parquet`` and ``aha_words.parquet`` of all stages (artifact and what was found, by stage)."""
    for name, schema, rows_of in (("aha", STEPS, step_rows), ("aha_words", WORDS, word_rows)):
        rows = [row for stage, (artifact, found) in tracked.items() for row in rows_of(stage, artifact, found)]
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), directory / f"{name}.parquet", compression="zstd")


def _stride(directory: Path) -> int:
    total = sum(pq.read_metadata(shard).num_rows for shard in lake.shards(directory))
    return max(1, -(-total // MOST))


def _rows(directory: Path, every: int) -> Iterator[dict[str, Any]]:
    """The completions of the first step and of every n-th after it."""
    columns = ["step", "prompt_id", "sample", "text", "verdict", "num_tokens"]
    for shard in lake.shards(directory):
        for batch in pq.ParquetFile(shard).iter_batches(BATCH, columns=columns):
            yield from (row for row in batch.to_pylist() if (row["step"] - 1) % every == 0)
