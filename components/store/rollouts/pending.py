"""Rollouts that wait for their step, in a checkpoint: what an older policy has sampled and no later one can sample again.

Unlike the lake a file of these gives back every rollout exactly: log-probabilities in 64 bits, rewards in their order.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from r1flow.components.core.rollout import Group, Rollout
from r1flow.components.store.rollouts import lake

EXACT = pa.field("logprobs", pa.list_(pa.float64()))
FOUND_LATER = ("advantage", "num_tokens")
SCHEMA = pa.schema(
    [EXACT if field.name == EXACT.name else field for field in lake.SCHEMA if field.name not in FOUND_LATER]
)


def write_pending(path: Path, steps: Mapping[int, Sequence[Rollout]]) -> None:
    """Write the rollouts of every step, in order."""
    rows = [{"step": step, **lake.columns(rollout)} for step, rollouts in sorted(steps.items()) for rollout in rollouts]
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), path, compression="zstd")


def read_pending(path: Path) -> dict[int, list[Rollout]]:
    """What :func:`write_pending` wrote."""
    steps: dict[int, list[Rollout]] = {}
    for row in pq.read_table(path, schema=SCHEMA).to_pylist():
        step = row.pop("step")
        steps.setdefault(step, []).append(Rollout(**row | {"rewards": dict(row["rewards"])}))
    return steps


UNSAVED, ADVANTAGES = "unsaved.parquet", "unsaved.json"


def write_unsaved(directory: Path, steps: Sequence[tuple[int, Sequence[Group]]]) -> None:
    """Groups whose shard of the lake is not full yet; nothing is written where there are none."""
    if not steps:
        return
    write_pending(
        directory / UNSAVED, {step: [r for group in groups for r in group.rollouts] for step, groups in steps}
    )
    advantages = [[step, [list(group.advantages) for group in groups]] for step, groups in steps]
    (directory / ADVANTAGES).write_text(json.dumps(advantages), encoding="utf-8")


def read_unsaved(directory: Path) -> list[tuple[int, Sequence[Group]]]:
    """What :func:`write_unsaved` wrote."""
    if not (directory / ADVANTAGES).exists():
        return []
    rollouts = read_pending(directory / UNSAVED)
    found: list[tuple[int, Sequence[Group]]] = []
    for step, advantages in json.loads((directory / ADVANTAGES).read_text(encoding="utf-8")):
        waiting = iter(rollouts[step])
        found.append((step, [Group(tuple(next(waiting) for _ in values), tuple(values)) for values in advantages]))
    return found
