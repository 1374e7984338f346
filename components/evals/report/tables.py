"""What a run did besides models: rows read and dropped, completions passed over, steps taken, seconds spent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from r1flow.components.data.composition import falls
from r1flow.components.evals.report.curves import series
from r1flow.components.evals.report.names import Names
from r1flow.components.evals.report.stages import Metrics, number

REASONS = {
    "not_correct": "answer not correct",
    "malformed": "cut off or not in the asked format",
    "unreadable": "too little of the target language, or no thought",
    "too_short": "too short",
    "too_long": "too long",
    "repetitive": "repeats itself",
    "repeated": "said before, word for word",
    "enough_of_problem": "enough of that problem that differ more",
    "good": "good enough to be taught",
}


@dataclass(frozen=True)
class Bar:
    """A labelled amount; ``width`` is its part of the largest, in percent; ``kind`` styles it; ``start`` is where it begins."""

    label: str
    amount: str
    width: float
    kind: str = ""
    start: float = 0.0


def waterfall(counts: Mapping[str, int]) -> list[Bar]:
    """From rows read to rows kept, what was dropped on the way, each loss hanging where the one before it ended."""
    steps, most = falls(counts), max(counts.get("read", 0), 1)
    bars, left = [], 100.0 * counts.get("read", 0) / most
    for name, label, rows in steps:
        kind = name if name in ("read", "kept") else "loss"
        sign, width = {"read": "", "kept": "=\u2009"}.get(kind, "\u2212\u2009"), 100 * rows / most
        if kind == "loss":
            left -= width
        bars.append(
            Bar(label, f"{sign}{rows:,}", width, "" if kind == "read" else kind, left if kind == "loss" else 0.0)
        )
    return bars


def amounts(rows: Sequence[tuple[str, int]]) -> list[Bar]:
    """Plain amounts beside one another."""
    most = max((number for _, number in rows), default=0) or 1
    return [Bar(label, f"{number:,}", 100 * number / most) for label, number in rows]


def passed_over(report: Mapping[str, int]) -> list[Bar]:
    """The completions that a selection looked at, by what became of them."""
    seen = max(report.get("seen", 0), 1)
    return [
        Bar(label, f"{report[key]:,}", 100 * report[key] / seen, "kept" if key == "good" else "loss")
        for key, label in REASONS.items()
        if report.get(key)
    ]


def timings(stages: Sequence[Mapping[str, Any]], names: Names) -> list[Bar]:
    """Seconds per stage, in the order the stages ended; a reused stage cost none to speak of."""
    most = max((float(s["seconds"]) for s in stages), default=0.0) or 1.0
    return [
        Bar(
            names.title(s["name"]),
            number(float(s["seconds"]), 1),
            100 * float(s["seconds"]) / most,
            "reused" if s.get("reused") else "",
        )
        for s in stages
    ]


def training_rows(
    histories: Mapping[str, Sequence[Metrics]], inputs: Mapping[str, Path], names: Names
) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Two tables: the RL stages (those with rewards) and the SFT stages (those with a loss only)."""
    rl, sft = [], []
    for stage in names.in_order(histories):
        history = [row for row in histories[stage] if row["step"] > 0]
        if not history:
            continue
        tokens = sum(row.get("tokens", 0.0) for row in history)
        row = {"stage": names.title(stage), "steps": f"{len(history):,}"}
        if "reward" in history[0]:
            rl.append(
                row
                | {"completions": f"{completions(inputs[stage]):,}", "tokens": f"{tokens:,.0f}"}
                | {
                    "pass@1": _change(histories[stage], "pass_at_1", 2),
                    "no signal": _mean(history, "groups_without_signal"),
                }
                | {"truncated": _change(histories[stage], "truncated", 3)}
            )
        elif "loss" in history[0]:
            sft.append(row | {"tokens": f"{tokens:,.0f}", "loss": _change(history, "loss", 3)})
    return rl, sft


def completions(artifact: Path) -> int:
    """How many completions the stage's lake keeps."""
    import pyarrow.parquet as pq

    from r1flow.components.store.rollouts.lake import shards

    return sum(pq.read_metadata(shard).num_rows for shard in shards(artifact / "lake"))


def _change(history: Sequence[Metrics], key: str, digits: int) -> str:
    points = series(history, key)
    return f"{points[0][1]:.{digits}f} \u2192 {points[-1][1]:.{digits}f}" if points else ""


def _mean(history: Sequence[Metrics], key: str) -> str:
    values = [row[key] for row in history if key in row]
    return f"{100 * sum(values) / len(values):.1f} %" if values else ""
