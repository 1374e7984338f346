"""Rejection sampling as a query on the lake: correct, well-formed, readable completions become teaching data."""

import json
from collections import Counter
from collections.abc import Iterable
from random import Random
from typing import Any

from components.config.stages import SelectConfig
from components.data.files import dump_rows, load_rows
from components.data.schema import Row
from components.errors import DataError
from components.programs.spec import Spec
from components.rollout import lake
from components.seeds import derive_seed

COLUMNS = ["prompt_id", "text", "verdict", "format_ok", "language", "finished"]


def main(raw: dict[str, Any]) -> dict[str, float]:
    spec = Spec.model_validate(raw)
    config = SelectConfig.model_validate(spec.config["select"])
    problems = {row.id: row for row in load_rows(spec.inputs["dataset"] / "train.jsonl")}
    directory = spec.inputs["policy"] / "lake"
    after = max(0, lake.last_step(directory) - config.last_steps) if config.last_steps else 0
    counts: Counter[str] = Counter()
    chosen = choose(lake.read(directory, COLUMNS, after_step=after), config, counts, seed=spec.seed)
    rows = [problems[r["prompt_id"]].model_copy(update={"completion": r["text"], "source": "lake"}) for r in chosen]
    wanted = spec.config.get("general", 0)
    general = load_rows(spec.inputs["dataset"] / "general.jsonl")[:wanted] if wanted else []
    if len(general) < wanted:
        raise DataError(f"reject.general: {wanted} rows are asked for, the dataset has {len(general)}")
    if not rows:
        raise DataError(f"{spec.stage}: no completion of the lake is good enough ({dict(counts)}); loosen select.*")
    mixed: list[Row] = [*rows, *general]
    Random(derive_seed(spec.seed, "mix")).shuffle(mixed)
    spec.out.mkdir(parents=True, exist_ok=True)
    dump_rows(mixed, spec.out / "sft.jsonl")
    report = {"seen": sum(counts.values()), **counts, "selected": len(rows), "general": len(general)}
    (spec.out / "report.json").write_text(json.dumps(report, indent=1, sort_keys=True))
    return {name: float(value) for name, value in report.items()}


def choose(
    completions: Iterable[dict[str, Any]], config: SelectConfig, counts: Counter[str], *, seed: int
) -> list[dict[str, Any]]:
    """Good completions, each text once per problem, at most ``per_problem``, then ``examples`` of them at random.

    ``counts`` is filled with why each completion was passed over (or ``good``).
    """
    seen: set[tuple[str, str]] = set()
    taken: Counter[str] = Counter()
    good = []
    for row in completions:
        reason = _fault(row, config)
        if reason is None and (row["prompt_id"], row["text"]) in seen:
            reason = "repeated"
        if reason is None and taken[row["prompt_id"]] >= config.per_problem:
            reason = "enough_of_problem"
        counts[reason or "good"] += 1
        if reason is None:
            seen.add((row["prompt_id"], row["text"]))
            taken[row["prompt_id"]] += 1
            good.append(row)
    if len(good) > config.examples:
        kept = sorted(Random(derive_seed(seed, "select")).sample(range(len(good)), config.examples))
        good = [good[i] for i in kept]
    return good


def _fault(row: dict[str, Any], config: SelectConfig) -> str | None:
    if row["verdict"] != "CORRECT":
        return "not_correct"
    if not row["finished"] or not row["format_ok"]:
        return "malformed"
    if row["language"] is None or row["language"] < config.min_language:
        return "unreadable"
    return None
