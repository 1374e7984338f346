"""Rejection sampling: correct, well-formed, readable completions become SFT data with a card.

They come from the rollouts of an RL stage, as a query on its lake; or from demonstrations, which are scored first.
"""

import json
from collections.abc import Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from r1flow.components.core.artifacts import Dataset, Policy
from r1flow.components.core.errors import DataError
from r1flow.components.core.schema import Row
from r1flow.components.data.blend import amounts, draw, shuffled
from r1flow.components.data.card import Entry, describe, markdown
from r1flow.components.data.files import dump_rows, load_rows
from r1flow.components.data.selection import COLUMNS, Completion, choose
from r1flow.components.programs.demonstrations import need_answers, verified
from r1flow.components.programs.spec import Spec
from r1flow.components.recipe.stages import SelectStage
from r1flow.components.store.rollouts import lake


def main(raw: dict[str, Any]) -> dict[str, float]:
    spec = Spec.model_validate(raw)
    config = SelectStage.model_validate(spec.config)
    source = spec.inputs[config.source]
    rollouts = Policy(source).lake
    sampled = rollouts.is_dir()
    rows = load_rows(Dataset(spec.inputs["problems"]).train if sampled else Dataset(source).sft)
    if sampled:
        completions: Iterable[Completion] = _of_lake(rollouts, config.last_steps)
    else:
        need_answers(rows, f"{spec.stage}.from")
        completions = verified(spec, rows)
    problems = {row.id: row for row in rows}
    selection = choose(completions, config, seed=spec.seed)
    if not selection.chosen:
        why = dict(selection.counts)
        raise DataError(f"{spec.stage}: no completion is good enough ({why}); loosen the stage's settings")
    selected = [_entry(problems, completion) for completion in selection.chosen]
    added = [Entry(row, "general data") for row in _mixed_in(spec, config, len(selected))]
    named = {"source": "lake"} if sampled else {}
    rows = [entry.row.model_copy(update=named) for entry in selected] + [entry.row for entry in added]
    spec.out.mkdir(parents=True, exist_ok=True)
    dump_rows(shuffled(rows, spec.seed), Dataset(spec.out).sft)
    counts = selection.counts
    report = {"seen": sum(counts.values()), **counts, "selected": len(selected), "general": len(added)}
    (spec.out / "report.json").write_text(json.dumps(report, indent=1, sort_keys=True))
    _write_card(spec, config, [*selected, *added])
    return {name: float(value) for name, value in report.items()}


def _of_lake(directory: Path, last_steps: int) -> Iterable[Completion]:
    after = max(0, lake.last_step(directory) - last_steps) if last_steps else 0
    return lake.read(directory, COLUMNS, after_step=after)


def _entry(problems: Mapping[str, Row], completion: Completion) -> Entry:
    row = problems[completion["prompt_id"]].model_copy(update={"completion": completion["text"]})
    return Entry(row, "sampled", len(completion["ids"]), completion["language"])


def _mixed_in(spec: Spec, config: SelectStage, selected: int) -> list[Row]:
    """Rows of ``mix``: as many as are asked for, or as make up their share of the whole, drawn by the seed."""
    sets = {role: load_rows(Dataset(spec.inputs[role]).sft) for role in config.mix}
    counts = amounts(config.mix, {role: len(rows) for role, rows in sets.items()}, spec.stage, beside=selected)
    drawn = (draw(rows, counts[role], spec.seed, place) for place, (role, rows) in enumerate(sets.items()))
    return list(chain.from_iterable(drawn))


def _write_card(spec: Spec, config: SelectStage, entries: list[Entry]) -> None:
    rules = config.model_dump(mode="json", exclude={"kind", "title", "prompt", "language", "source"})
    made_from = spec.notes.get("made_from", {})
    card = describe(entries, language=spec.language.target, rules=rules, made_from=made_from)
    (spec.out / "card.json").write_text(json.dumps(card, indent=1, ensure_ascii=False), encoding="utf-8")
    (spec.out / "card.md").write_text(markdown(card, f"SFT data of {spec.stage}"), encoding="utf-8")
