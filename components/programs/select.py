"""Rejection sampling as a query on the lake: correct, well-formed, readable completions become teaching data with a card."""

import json
from random import Random
from typing import Any

from r1flow.components.core.errors import DataError
from r1flow.components.core.schema import Row
from r1flow.components.core.seeds import derive_seed
from r1flow.components.data.card import Entry, describe, markdown
from r1flow.components.data.files import dump_rows, load_rows
from r1flow.components.data.selection import COLUMNS, choose
from r1flow.components.programs.spec import Spec
from r1flow.components.recipe.stages import RejectConfig
from r1flow.components.store.rollouts import lake


def main(raw: dict[str, Any]) -> dict[str, float]:
    spec = Spec.model_validate(raw)
    config = RejectConfig.model_validate(spec.config["reject"])
    problems = {row.id: row for row in load_rows(spec.inputs["dataset"] / "train.jsonl")}
    directory = spec.inputs["policy"] / "lake"
    last = config.select.last_steps
    after = max(0, lake.last_step(directory) - last) if last else 0
    selection = choose(lake.read(directory, COLUMNS, after_step=after), config.select, seed=spec.seed)
    if not selection.chosen:
        why = dict(selection.counts)
        raise DataError(f"{spec.stage}: no completion of the lake is good enough ({why}); loosen select.*")
    sampled = [
        Entry(
            problems[r["prompt_id"]].model_copy(update={"completion": r["text"]}),
            "sampled",
            len(r["ids"]),
            r["language"],
        )
        for r in selection.chosen
    ]
    added = [Entry(row, "general data") for row in general(spec, config, len(sampled))]
    rows: list[Row] = [entry.row.model_copy(update={"source": "lake"}) for entry in sampled]
    rows += [entry.row for entry in added]
    Random(derive_seed(spec.seed, "mix")).shuffle(rows)
    spec.out.mkdir(parents=True, exist_ok=True)
    dump_rows(rows, spec.out / "sft.jsonl")
    counts = selection.counts
    report = {"seen": sum(counts.values()), **counts, "selected": len(sampled), "general": len(added)}
    (spec.out / "report.json").write_text(json.dumps(report, indent=1, sort_keys=True))
    rules = config.select.model_dump(mode="json") | config.model_dump(mode="json", exclude={"select"})
    made_from = spec.notes.get("made_from", {})
    card = describe([*sampled, *added], language=spec.language.target, rules=rules, made_from=made_from)
    (spec.out / "card.json").write_text(json.dumps(card, indent=1, ensure_ascii=False), encoding="utf-8")
    (spec.out / "card.md").write_text(markdown(card, f"Teaching set of {spec.stage}"), encoding="utf-8")
    return {name: float(value) for name, value in report.items()}


def general(spec: Spec, config: RejectConfig, selected: int) -> list[Row]:
    """Rows of general data: as many as are asked for, or as make up their share of the set, drawn by the seed."""
    share = config.general_share
    wanted = round(selected * share / (1 - share)) if share else config.general
    if not wanted:
        return []
    rows = load_rows(spec.inputs["dataset"] / "general.jsonl")
    if len(rows) < wanted:
        asked = f"general_share: a share of {share:g} beside {selected} completions is" if share else "general:"
        raise DataError(
            f"{spec.stage}.{asked} {wanted} rows, and the dataset has {len(rows)} of general data; ask for less"
        )
    return Random(derive_seed(spec.seed, "general")).sample(rows, wanted)
