"""Curation: sources in; problems that can be trained on, evaluation suites, a quarantine and a report out."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import chain
from typing import IO, Any

from components.config.data import DataConfig
from components.config.origins import Origin, evaluation_origins, training_origins, with_addresses
from components.config.stages import SuiteConfig
from components.data.composition import card
from components.data.decontaminate import decontaminate
from components.data.dedup import drop_duplicates
from components.data.files import dump_rows
from components.data.intake import Intake
from components.data.mixture import chooser
from components.data.schema import QuarantinedRow, Row
from components.data.sources import tiny_key, tiny_rows
from components.data.sources.tiny import with_worked_completion
from components.data.waterfall import Waterfall
from components.errors import DataError
from components.programs.spec import Spec

SUITE_SEED = 20250120  # suites hold the same problems in every run, whatever the recipe's seed


def main(raw: dict[str, Any]) -> dict[str, float]:
    spec = Spec.model_validate(raw)
    settings = with_addresses(spec.config, spec.notes.get("addresses", {}))
    config = DataConfig.model_validate(settings["data"])
    suites = {name: SuiteConfig.model_validate(suite) for name, suite in settings["suites"].items()}
    origins, held_out = training_origins(config), evaluation_origins(config, suites)
    falls = Waterfall()
    spec.out.mkdir(parents=True, exist_ok=True)
    with (spec.out / "quarantine.jsonl").open("w", encoding="utf-8") as quarantine:
        intake = Intake(config.max_bad_fraction)
        items = chain(_tiny_problems(config, spec.seed), intake.items(origins, spec.seed))
        rows = list(_good(items, quarantine))
        evaluation = _evaluation(held_out, config, suites, intake, quarantine)
    read = intake.total(origins)
    falls.step("read", len(rows) + read.bad, len(rows), quarantined=read.bad)

    unique, duplicates = drop_duplicates(rows)
    falls.step("duplicates", len(rows), len(unique), dropped=len(duplicates))
    against = [row for suite_rows in evaluation.values() for row in suite_rows]
    key: Callable[[Row], str] | None = tiny_key if config.has_tiny_problems else None
    clean, matches = decontaminate(unique, against, key=key, ngram_words=config.ngram)
    falls.step("contaminated", len(unique), len(clean), dropped=len(matches))
    chosen = chooser(((row.source, row.id) for row in clean), config.sources, spec.seed)
    kept = [row for row in clean if chosen(row)]
    left_out = sum(not chosen(row) for row in clean)
    falls.step("mixture", len(clean), len(kept), dropped=left_out)
    if not kept:
        raise DataError(f"no row is left: {falls.report()}; give other training problems")

    dump_rows((row.model_copy(update={"completion": None}) for row in kept), spec.out / "train.jsonl")
    dump_rows((row for row in kept if row.completion is not None), spec.out / "general.jsonl")
    (spec.out / "eval").mkdir(exist_ok=True)
    for name, suite_rows in evaluation.items():
        num = suites[name].problems if name in suites else len(suite_rows)
        dump_rows(suite_rows[:num], spec.out / "eval" / f"{name}.jsonl")
    counts = {
        "read": read.rows + read.bad if origins else len(rows),
        "quarantined": read.bad,
        "duplicates": len(duplicates),
        "contaminated": len(matches),
        "left_out": left_out,
        "kept": len(kept),
        "evaluation": len(against),
        "cut_off": intake.cut_off,
        "evaluation_quarantined": intake.total(held_out.values()).bad,
    }
    report = {
        "counts": counts,
        "steps": falls.report(),
        "sources": _sources(intake, config, Counter(row.source for row in kept)),
        "duplicates": [asdict(d) for d in duplicates],
        "contaminated": [asdict(m) for m in matches],
    }
    (spec.out / "report.json").write_text(json.dumps(report, indent=1))
    (spec.out / "card.md").write_text(card(spec.out, "Training problems"), encoding="utf-8")
    return {name: float(value) for name, value in counts.items()}


def _good(items: Iterable[Row | QuarantinedRow], quarantine: IO[str]) -> Iterator[Row]:
    """The rows among ``items``; the rest goes to the quarantine."""
    for item in items:
        if isinstance(item, Row):
            yield item
        else:
            quarantine.write(json.dumps(asdict(item)) + "\n")
    quarantine.flush()


def _evaluation(
    origins: Mapping[str, Origin], config: DataConfig, suites: Mapping[str, SuiteConfig], intake: Intake, bad: IO[str]
) -> dict[str, Sequence[Row]]:
    """All problems of every suite, and of whatever else ``data.against`` names; a file that suites share is read once."""
    read = {origin.setting: origin for origin in origins.values()}
    rows = {setting: list(_good(intake.items([origin], SUITE_SEED), bad)) for setting, origin in read.items()}
    tiny = {name: _tiny_suite(name, suite) for name, suite in suites.items() if name not in origins}
    return tiny | {name: rows[origin.setting] for name, origin in origins.items()}


def _sources(intake: Intake, config: DataConfig, kept: Mapping[str, int]) -> dict[str, Any]:
    """Every source by its place in the recipe: lines, bad ones by reason, rows kept, licence."""
    table: dict[str, Any] = {}
    for origin in training_origins(config):
        table[origin.setting] = {"kept": kept.get(origin.name, 0), "licence": origin.source.licence}
    for setting, tally in intake.tallies.items():
        found = {"name": tally.source, "lines": tally.total, "rows": tally.rows, "quarantined": dict(tally.reasons)}
        table[setting] = found | table.get(setting, {})
    return table


def _tiny_problems(config: DataConfig, seed: int) -> list[Row]:
    """Every skill's problems; string tasks carry a worked completion, for they are the recipe's general data too."""
    rows = [row for skill, num in config.problems.items() for row in tiny_rows(skill, num, seed, exclude_keys=())]
    return [with_worked_completion(row) if row.skill == "string" else row for row in rows]


def _tiny_suite(name: str, suite: SuiteConfig) -> Sequence[Row]:
    """The suite's problems, all different."""
    rows = tiny_rows(suite.skill, suite.problems, SUITE_SEED, exclude_keys=())
    return [row.model_copy(update={"id": f"{name}-{row.id}"}) for row in rows]
