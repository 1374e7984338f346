"""The ledger on disk: one Parquet row per problem, and what the lists and filters read of it."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from r1flow.components.core.errors import DataError
from r1flow.components.data.difficulty import RatedModel, Tally, problem_key

LEDGER = "ledger.parquet"
NEVER_SOLVED = "never_solved.jsonl"
LABEL_LOOKS_WRONG = "label_looks_wrong.jsonl"
POLICY = pa.struct(
    [
        ("artifact", pa.string()),
        ("stage", pa.string()),
        ("first_step", pa.int32()),
        ("last_step", pa.int32()),
        ("samples", pa.int64()),
        ("correct", pa.int64()),
    ]
)
SCHEMA = pa.schema(
    [
        ("key", pa.string()),
        ("id", pa.string()),
        ("prompt", pa.string()),
        ("gold", pa.string()),
        ("verifier", pa.string()),
        ("skill", pa.string()),
        ("level", pa.int32()),
        ("source", pa.string()),
        ("samples", pa.int64()),
        ("correct", pa.int64()),
        ("unscored", pa.int64()),
        ("pass_rate", pa.float64()),
        ("majority", pa.string()),
        ("majority_share", pa.float64()),
        ("majority_correct", pa.bool_()),
        ("policies", pa.list_(POLICY)),
    ]
)


def write_ledger(path: Path, tallies: Iterable[Tally]) -> None:
    """The tallies by problem key."""
    rows = sorted((entry(tally) for tally in tallies), key=lambda row: row["key"])
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), path, compression="zstd")


def write_list(path: Path, tallies: Iterable[Tally]) -> None:
    """Some of them as JSON lines, in their order, without who answered."""
    lines = ({k: v for k, v in entry(tally).items() if k != "policies"} for tally in tallies)
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")


def read_ledger(path: Path, columns: list[str] | None = None) -> list[dict[str, Any]]:
    """Rows of SCHEMA; DataError where there is no ledger."""
    if not path.is_file():
        raise DataError(f"{path} is not there: the artifact is no ledger; `r1 ledger` makes one (r1 ls ledger)")
    rows: list[dict[str, Any]] = pq.read_table(path, columns=columns).to_pylist()
    return rows


def read_rates(path: Path, policy: str = "") -> dict[str, tuple[int, int]]:
    """(samples, correct) by problem key, of all policies or of those that are called ``policy``.

    DataError naming those there are when none is.
    """
    rates: dict[str, tuple[int, int]] = {}
    names: set[str] = set()
    for row in read_ledger(path, ["key", "policies"]):
        names |= {f"{p['stage']} ({p['artifact']})" for p in row["policies"]}
        counted = [p for p in row["policies"] if not policy or RatedModel(p["artifact"], p["stage"]).is_called(policy)]
        if counted:
            rates[row["key"]] = (sum(p["samples"] for p in counted), sum(p["correct"] for p in counted))
    if not rates:
        raise DataError(
            f"the ledger has no completion of policy {policy!r}; it has {', '.join(sorted(names)) or 'none'}"
        )
    return rates


def entry(tally: Tally) -> dict[str, Any]:
    """A tally as a row of SCHEMA."""
    row = tally.row
    policies = [
        {"artifact": policy.artifact, "stage": policy.stage, **vars(count)}
        for policy, count in sorted(tally.policies.items(), key=lambda pair: (pair[0].artifact, pair[0].stage))
    ]
    return {
        "key": problem_key(row),
        "id": row.id,
        "prompt": row.prompt,
        "gold": row.answer,
        "verifier": row.verifier,
        "skill": row.skill,
        "level": row.level,
        "source": row.source,
        "samples": tally.samples,
        "correct": tally.correct,
        "unscored": tally.unscored,
        "pass_rate": tally.pass_rate,
        "majority": tally.majority,
        "majority_share": tally.majority_share,
        "majority_correct": tally.majority_correct,
        "policies": policies,
    }
