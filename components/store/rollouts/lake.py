"""The rollout lake: every completion ever sampled, in Parquet. Rejection sampling and reports are queries on it.

A shard holds the groups of a range of steps and is named after it: ``steps-000001-000020.parquet``. Shards hold no times
and no host names, so the same run writes the same bytes.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from r1flow.components.core.rollout import Group, Rollout

SCHEMA = pa.schema(
    [
        ("step", pa.int32()),
        ("policy_version", pa.int32()),
        ("prompt_id", pa.string()),
        ("sample", pa.int32()),
        ("prompt_ids", pa.list_(pa.int32())),
        ("ids", pa.list_(pa.int32())),
        ("logprobs", pa.list_(pa.float32())),
        ("num_tokens", pa.int32()),
        ("finished", pa.bool_()),
        ("text", pa.string()),
        ("reward", pa.float64()),
        ("rewards", pa.map_(pa.string(), pa.float64())),
        ("verdict", pa.string()),
        ("language", pa.float64()),
        ("format_ok", pa.bool_()),
        ("reflections", pa.int32()),
        ("advantage", pa.float64()),
    ]
)


def shard_name(first: int, last: int) -> str:
    return f"steps-{first:06d}-{last:06d}.parquet"


def write_shard(path: Path, steps: Iterable[tuple[int, Sequence[Group]]]) -> None:
    """Write the groups of ``steps`` (step number, groups). A row's staleness is ``step - 1 - policy_version``."""
    rows = [
        {**columns(r), "rewards": sorted(r.rewards.items()), "step": step, "advantage": a}
        for step, groups in steps
        for g in groups
        for r, a in zip(g.rollouts, g.advantages, strict=True)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), path, compression="zstd")


def columns(rollout: Rollout) -> dict[str, Any]:
    """A rollout by the names of its columns, wherever it is written; rewards in their own order."""
    # num_tokens is asked for more often than anything else; counting would read every token.
    return vars(rollout) | {"num_tokens": len(rollout.ids), "rewards": list(rollout.rewards.items())}


def shards(directory: Path) -> list[Path]:
    """The shards of a lake directory, in step order."""
    return sorted(directory.glob("steps-*.parquet"))


def read(directory: Path, columns: Sequence[str], *, after_step: int = 0) -> Iterator[dict[str, Any]]:
    """Rows in the order they were sampled, ``columns`` only, of steps after ``after_step``; one shard in memory at a time."""
    wanted = list(dict.fromkeys([*columns, "step"]))
    for shard in shards(directory):
        for row in pq.read_table(shard, columns=wanted).to_pylist():
            if row["step"] > after_step:
                yield row


def last_step(directory: Path) -> int:
    """The last step the lake holds, 0 for an empty lake."""
    return max((int(shard.stem.rsplit("-", 1)[1]) for shard in shards(directory)), default=0)
