"""Curation: sources in; problems that can be trained on, evaluation suites, a quarantine and a report out."""

from collections.abc import Callable, Sequence
from pathlib import PurePosixPath
from typing import Any

from components.config.recipe import DataConfig
from components.config.stages import SuiteConfig
from components.curation.pipeline import curate
from components.curation.pool import available
from components.curation.report import write_report
from components.curation.settings import Curation
from components.data.files import dump_rows
from components.data.schema import ColumnMapping, QuarantinedRow, Row, check_quarantine
from components.data.sources import read_source, tiny_key, tiny_rows
from components.errors import DataError
from components.programs.spec import Spec
from components.tinyworld.problems import string_thought

SUITE_SEED = 20250120  # suites hold the same problems in every run, whatever the recipe's seed


def main(raw: dict[str, Any]) -> dict[str, float]:
    spec = Spec.model_validate(raw)
    config = DataConfig.model_validate(spec.config["data"] | spec.notes)
    suites = {name: SuiteConfig.model_validate(s) for name, s in spec.config["suites"].items()}
    if config.source == "tiny":
        key: Callable[[Row], str] | None = tiny_key
        train, bad = _tiny_problems(config, spec.seed), list[QuarantinedRow]()
        evaluation = {name: _tiny_suite(name, suite) for name, suite in suites.items()}
    else:
        key = None
        train, bad = _read(config, config.path, "data.path")
        held_out, bad_eval = _read(config, config.against, "data.against") if config.against else ([], [])
        bad += bad_eval
        evaluation = {name: held_out[: suite.problems] for name, suite in suites.items()} or {"against": held_out}
    spec.out.mkdir(parents=True, exist_ok=True)
    curated = curate(
        [*train, *bad],
        evaluation,
        settings(config, by_key=key is not None),
        work=spec.work / "curation",
        quarantine=spec.out / "quarantine.jsonl",
        workers=available(),
        key=key,
    )
    check_quarantine(train, bad, config.max_bad_fraction)
    counts = write_report(curated, spec.out)
    if not counts["kept"]:
        raise DataError(
            f"no row is left of {counts['read']}: {spec.out / 'report.json'} says what each was dropped for"
        )
    dump_rows((row.model_copy(update={"completion": None}) for row in curated.rows()), spec.out / "train.jsonl")
    dump_rows((row for row in curated.rows() if row.completion is not None), spec.out / "general.jsonl")
    (spec.out / "eval").mkdir(exist_ok=True)
    for name, rows in evaluation.items():
        dump_rows(rows, spec.out / "eval" / f"{name}.jsonl")
    return {name: float(value) for name, value in counts.items()}


def settings(config: DataConfig, *, by_key: bool) -> Curation:
    """Rules by text, or by key where problems have one: then two texts that look alike are two problems."""
    return Curation(
        similar=config.similar, ngram=config.ngram, drop_variants=not config.keep_evaluation_variants, near=not by_key
    )


def _read(config: DataConfig, path: str | None, setting: str) -> tuple[list[Row], list[QuarantinedRow]]:
    mapping = ColumnMapping(**config.columns.model_dump(), verifier=config.verifier, licence=config.licence)
    return read_source(path or "", mapping, PurePosixPath(path or "").name, setting=setting)


def _tiny_problems(config: DataConfig, seed: int) -> list[Row]:
    """Every skill's problems; string tasks carry a worked completion, for they are the recipe's general data too."""
    rows = [row for skill, num in config.problems.items() for row in tiny_rows(skill, num, seed, exclude_keys=())]
    return [_with_worked_completion(row) if row.skill == "string" else row for row in rows]


def _with_worked_completion(row: Row) -> Row:
    thought = string_thought(row.answer, "digits")
    return row.model_copy(update={"completion": f"<think>{thought}</think>{row.answer}"})


def _tiny_suite(name: str, suite: SuiteConfig) -> Sequence[Row]:
    """The suite's problems, all different."""
    rows = tiny_rows(suite.skill, suite.problems, SUITE_SEED, exclude_keys=())
    return [row.model_copy(update={"id": f"{name}-{row.id}"}) for row in rows]
