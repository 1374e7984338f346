"""Curation: sources in; problems that can be trained on, evaluation suites, a quarantine and a report out."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any

from r1flow.components.core.errors import DataError
from r1flow.components.core.schema import QuarantinedRow, Row
from r1flow.components.data.composition import card
from r1flow.components.data.curation.pipeline import Curated, curate
from r1flow.components.data.curation.pool import available
from r1flow.components.data.curation.report import write_report
from r1flow.components.data.curation.settings import Curation
from r1flow.components.data.files import dump_rows
from r1flow.components.data.intake import Intake
from r1flow.components.data.mixture import chooser
from r1flow.components.data.sources import tiny_key, tiny_rows
from r1flow.components.data.sources.tiny import with_worked_completion
from r1flow.components.programs.spec import Spec
from r1flow.components.recipe.data import DataConfig
from r1flow.components.recipe.origins import Origin, evaluation_origins, training_origins, with_addresses
from r1flow.components.recipe.stages import SuiteConfig

SUITE_SEED = 20250120  # suites hold the same problems in every run, whatever the recipe's seed


def main(raw: dict[str, Any]) -> dict[str, float]:
    spec = Spec.model_validate(raw)
    settings = with_addresses(spec.config, spec.notes.get("addresses", {}))
    config = DataConfig.model_validate(settings["data"])
    suites = {name: SuiteConfig.model_validate(suite) for name, suite in settings["suites"].items()}
    origins, held_out = training_origins(config), evaluation_origins(config, suites)
    spec.out.mkdir(parents=True, exist_ok=True)
    intake = Intake(config.max_bad_fraction)
    bad: list[QuarantinedRow] = []
    evaluation = _evaluation(held_out, config, suites, intake, bad)
    key: Callable[[Row], str] | None = tiny_key if config.has_tiny_problems else None
    curated = curate(
        chain(_tiny_problems(config, spec.seed), intake.items(origins, spec.seed)),
        evaluation,
        rules(config),
        work=spec.work / "curation",
        quarantine=spec.out / "quarantine.jsonl",
        workers=available(),
        key=key,
    )
    with (spec.out / "quarantine.jsonl").open("a", encoding="utf-8") as quarantine:
        quarantine.writelines(json.dumps(asdict(line)) + "\n" for line in bad)

    chosen = chooser(curated.names(), config.sources, spec.seed)
    kept = _write_rows(curated, chosen, spec.out)
    num = kept.total()
    curated.falls.step("mixture", int(curated.keep.sum()), num, dropped=int(curated.keep.sum()) - num)
    if not num:
        raise DataError(f"no row is left: {curated.falls.report()}; give other training problems")
    counts = _counts(curated.counts(), num)
    _write_suites(evaluation, suites, curated, spec.out / "eval")
    counts |= {"cut_off": intake.cut_off, "evaluation_quarantined": intake.total(held_out.values()).bad}
    more = {"steps": curated.falls.report(), "sources": _sources(intake, config, kept)}
    write_report(curated, spec.out, counts, more)
    (spec.out / "card.md").write_text(card(spec.out, "Training problems"), encoding="utf-8")
    return {name: float(value) for name, value in counts.items()}


def rules(config: DataConfig) -> Curation:
    """Rules by text, and by key where problems have one. Of keyed problems alone two that look alike are two."""
    return Curation(
        similar=config.similar,
        ngram=config.ngram,
        drop_variants=not config.keep_evaluation_variants,
        near=not config.has_tiny_problems_alone,
    )


def _counts(curated: Mapping[str, int], kept: int) -> dict[str, int]:
    """The waterfall in order, the mixture's step before what is kept."""
    counts: dict[str, int] = {}
    for name, number in curated.items():
        counts |= {"left_out": number - kept, "kept": kept} if name == "kept" else {name: number}
    return counts


def _write_rows(curated: Curated, chosen: Callable[[str, str], bool], out: Path) -> Counter[str]:
    """Problems, and apart those of them that have a worked completion; how many of each source."""
    kept: Counter[str] = Counter()
    with (
        (out / "train.jsonl").open("w", encoding="utf-8") as train,
        (out / "general.jsonl").open("w", encoding="utf-8") as general,
    ):
        for row in curated.rows():
            if not chosen(row.source, row.id):
                continue
            kept[row.source] += 1
            train.write(row.model_copy(update={"completion": None}).model_dump_json() + "\n")
            if row.completion is not None:
                general.write(row.model_dump_json() + "\n")
    return kept


def _write_suites(
    evaluation: Mapping[str, Sequence[Row]], suites: Mapping[str, SuiteConfig], curated: Curated, out: Path
) -> None:
    """Every suite's problems, and which of them a kept row still meets; nothing where nothing is held out."""
    for name, rows in evaluation.items():
        out.mkdir(exist_ok=True)
        dump_rows(rows[: suites[name].problems] if name in suites else rows, out / f"{name}.jsonl")
        met = {m.problem: m.rule for m in curated.matches if m.suite == name and not curated.drops(m)}
        (out / f"{name}.contaminated.json").write_text(json.dumps(met, indent=1, sort_keys=True), encoding="utf-8")


def _evaluation(
    origins: Mapping[str, Origin],
    config: DataConfig,
    suites: Mapping[str, SuiteConfig],
    intake: Intake,
    bad: list[QuarantinedRow],
) -> dict[str, Sequence[Row]]:
    """All problems of every suite, and of whatever else ``data.against`` names; a file that suites share is read once.

    What is no row goes to ``bad``.
    """
    read = {origin.setting: origin for origin in origins.values()}
    rows = {setting: list(_good(intake.items([origin], SUITE_SEED), bad)) for setting, origin in read.items()}
    tiny = {name: _tiny_suite(name, suite) for name, suite in suites.items() if name not in origins}
    return tiny | {name: rows[origin.setting] for name, origin in origins.items()}


def _good(items: Iterable[Row | QuarantinedRow], bad: list[QuarantinedRow]) -> Iterator[Row]:
    for item in items:
        if isinstance(item, Row):
            yield item
        else:
            bad.append(item)


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
