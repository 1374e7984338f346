"""A few sampled completions as a table that people can leaf through beside the curves."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from r1flow.components.store.rollouts import lake

STEPS, PROMPTS, SAMPLES = 6, 4, 2
MEASURED = ["reward", "advantage", "verdict", "finished"]


def completions_table(directory: Path, decode: Callable[[Sequence[int]], str]) -> dict[str, list[Any]]:
    """``{"columns": [...], "data": [[...], ...]}`` over some steps of a lake.

    STEPS of them, evenly spread, the first and the last among them; of each SAMPLES completions of its first
    PROMPTS prompts. ``decode`` turns prompt ids into text.
    """
    rows = [row for step in _spread(lake.last_step(directory)) for row in _of_step(directory, step)]
    names = sorted({name for row in rows for name, _ in row["rewards"]})
    columns = ["step", "prompt", "completion", "tokens", *MEASURED, *names]
    return {"columns": columns, "data": [_line(row, names, decode) for row in rows]}


def _spread(last: int) -> list[int]:
    """At most STEPS numbers from 1 to ``last``, both included."""
    return sorted({1 + round(i * (last - 1) / (STEPS - 1)) for i in range(STEPS)}) if last else []


def _of_step(directory: Path, step: int) -> list[dict[str, Any]]:
    """The rows of one step that are shown, from the one shard that holds it."""
    shard = next(path for path in lake.shards(directory) if step <= int(path.stem.rsplit("-", 1)[1]))
    shown = ["step", "prompt_ids", "ids", "text", "rewards", *MEASURED]
    chosen = [("step", "==", step), ("sample", "<", SAMPLES)]
    return list(pq.read_table(shard, columns=shown, filters=chosen).slice(0, PROMPTS * SAMPLES).to_pylist())


def _line(row: dict[str, Any], names: Sequence[str], decode: Callable[[Sequence[int]], str]) -> list[Any]:
    rewards = dict(row["rewards"])
    text = [row["step"], decode(row["prompt_ids"]), row["text"], len(row["ids"])]
    return [*text, *(row[name] for name in MEASURED), *(rewards.get(name) for name in names)]
