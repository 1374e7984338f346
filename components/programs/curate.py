"""Curation: sources in; rows that can be trained on, a quarantine and a report out."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from r1flow.components.core.artifacts import Dataset, Suites
from r1flow.components.core.errors import DataError
from r1flow.components.core.schema import Row
from r1flow.components.data.composition import card
from r1flow.components.data.curation.pipeline import Curated, curate
from r1flow.components.data.curation.pool import available
from r1flow.components.data.curation.report import write_report
from r1flow.components.data.curation.settings import Curation
from r1flow.components.data.files import dump_rows, load_rows
from r1flow.components.data.intake import Intake
from r1flow.components.data.mixture import chooser
from r1flow.components.data.sources import row_key
from r1flow.components.programs.spec import Spec
from r1flow.components.recipe.data import DatasetConfig
from r1flow.components.recipe.origins import Origin, dataset_origins, with_addresses


def main(raw: dict[str, Any]) -> dict[str, float]:
    spec = Spec.model_validate(raw)
    settings = with_addresses(spec.config, spec.notes.get("addresses", {}))
    config = DatasetConfig.model_validate(settings["dataset"])
    origins = dataset_origins(config)
    spec.out.mkdir(parents=True, exist_ok=True)
    intake = Intake(config.max_bad_fraction)
    suites = _suites(spec.inputs.get("suites"))
    key: Callable[[Row], str] | None = row_key if config.has_keyed_problems else None
    curated = curate(
        intake.items(origins, spec.seed, demonstrations=config.kind == "demonstrations"),
        suites,
        rules(config),
        work=spec.work / "curation",
        quarantine=spec.out / "quarantine.jsonl",
        workers=available(),
        key=key,
    )
    chosen = chooser(curated.names(), config.sources, spec.seed)
    kept = _write_rows(curated, chosen, spec.out, config.kind)
    num = kept.total()
    curated.falls.step("mixture", int(curated.keep.sum()), num, dropped=int(curated.keep.sum()) - num)
    if not num:
        raise DataError(f"no row is left: {curated.falls.report()}; give other rows")
    counts = _counts(curated.counts(), num) | {"cut_off": intake.cut_off}
    _write_matches(suites, curated, spec.out)
    more = {"steps": curated.falls.report(), "sources": _sources(intake, origins, kept)}
    write_report(curated, spec.out, counts, more)
    (spec.out / "card.md").write_text(card(spec.out, "Dataset"), encoding="utf-8")
    return {name: float(value) for name, value in counts.items()}


def rules(config: DatasetConfig) -> Curation:
    """Rules by text, and by key where problems have one. Of keyed problems alone two that look alike are two."""
    return Curation(
        similar=config.similar,
        ngram=config.ngram,
        drop_variants=not config.keep_evaluation_variants,
        near=not config.has_keyed_problems_alone,
    )


def _suites(directory: Path | None) -> dict[str, Sequence[Row]]:
    """All problems of every suite; nothing where nothing is held out."""
    if directory is None:
        return {}
    suites = Suites(directory)
    return {name: load_rows(suites.problems(name)) for name in suites.names()}


def _counts(curated: Mapping[str, int], kept: int) -> dict[str, int]:
    """The waterfall in order, the mixture's step before what is kept."""
    counts: dict[str, int] = {}
    for name, number in curated.items():
        counts |= {"left_out": number - kept, "kept": kept} if name == "kept" else {name: number}
    return counts


def _write_rows(curated: Curated, chosen: Callable[[str, str], bool], out: Path, kind: str) -> Counter[str]:
    """The rows that stay; how many of each source."""
    learned = kind == "demonstrations"
    kept: Counter[str] = Counter()

    def rows() -> Iterator[Row]:
        for row in curated.rows():
            if chosen(row.source, row.id):
                kept[row.source] += 1
                yield row if learned else row.model_copy(update={"completion": None})

    dump_rows(rows(), Dataset(out).sft if learned else Dataset(out).train)
    return kept


def _write_matches(suites: Mapping[str, Sequence[Row]], curated: Curated, out: Path) -> None:
    """Which problems of every suite a kept row still meets, and by which rule."""
    met = {
        name: {m.problem: m.rule for m in curated.matches if m.suite == name and not curated.drops(m)}
        for name in suites
    }
    (out / "contaminated.json").write_text(json.dumps(met, indent=1, sort_keys=True), encoding="utf-8")


def _sources(intake: Intake, origins: Sequence[Origin], kept: Mapping[str, int]) -> dict[str, Any]:
    """Every source by its place in the settings: lines, bad ones by reason, rows kept, licence."""
    table: dict[str, Any] = {}
    for origin in origins:
        tally = intake.tallies[origin.setting]
        table[origin.setting] = {
            "name": tally.source,
            "lines": tally.total,
            "rows": tally.rows,
            "quarantined": dict(tally.reasons),
            "kept": kept.get(origin.name, 0),
            "licence": origin.source.licence,
        }
    return table
