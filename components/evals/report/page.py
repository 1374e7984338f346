"""The page: reads the artifacts of a run, computes what there is to say, renders one HTML file without any reference out.

A stage that a run does not have is left out; a page of a run that has only begun is a short page, not an error.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from r1flow.components.data.composition import compose, dropped
from r1flow.components.evals.aha_counts import Tracked, write_tables
from r1flow.components.evals.report import aha, bill, paper, students, tables
from r1flow.components.evals.report.browser import browsing
from r1flow.components.evals.report.figures import curve_figures, shape_figures
from r1flow.components.evals.report.lineage import way
from r1flow.components.evals.report.planned import COLUMNS, planned_table
from r1flow.components.evals.report.references import published
from r1flow.components.evals.report.samples import before_after, printable
from r1flow.components.evals.report.stages import (
    MAIN_LINE,
    STUDENTS,
    Metrics,
    headline,
    level_rows,
    number,
    stage_name,
    suite_rows,
    suites_of,
)
from r1flow.components.rewards.markers import Finder

SELECTIONS = ("cold_start/chains", "reject")


def write_report(inputs: Mapping[str, Path], notes: Mapping[str, Any], path: Path, finder: Finder | None = None) -> int:
    """Write the report of the artifacts in ``inputs`` (directory by stage name) to ``path``; returns its number of plots.

    ``notes`` says what no artifact knows: run, preset, description, seed, started, champion, stages, and ``made``, the
    manifests' facts for the lineage. The same inputs and notes give the same bytes. What ``finder`` has counted in the
    lakes lies beside the page, as tables.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    tracked = aha.track_lakes(inputs, finder or Finder())
    artifacts = {stage["name"]: f"{stage['kind']}/{stage['fingerprint'][:12]}" for stage in notes.get("stages") or ()}
    write_tables(path.parent, {stage: (artifacts.get(stage, ""), found) for stage, found in tracked.items()})
    facts = collect(inputs, notes, tracked)
    path.write_text(render(facts), encoding="utf-8")
    figures = [*facts["curves"], *(facts["aha"]["figures"] if facts["aha"] else ())]
    return len(facts["shapes"]) + sum(len(figure.panels) for figure in figures)


def render(facts: Mapping[str, Any]) -> str:
    """The template with ``facts``; every text in them is escaped, but the drawings."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["printable"] = printable
    return environment.get_template("page.html.jinja").render(**facts)


def collect(inputs: Mapping[str, Path], notes: Mapping[str, Any], tracked: Mapping[str, Tracked]) -> dict[str, Any]:
    """Everything the template shows, by section; an empty value leaves its section out."""
    evaluations = {
        name.removeprefix("evaluate/"): path for name, path in inputs.items() if name.startswith("evaluate/")
    }
    metrics = {model: _json(path / "metrics.json") for model, path in evaluations.items()}
    histories = {stage: _history(path) for stage, path in inputs.items() if (path / "history.jsonl").exists()}
    suites = suites_of(metrics)
    main = suites[0] if suites else ""
    rl, sft = tables.training_rows(histories, inputs)
    sample = before_after(evaluations, main)
    back = way(inputs, notes.get("made") or {}, sample.models[-1].model, sample.problem_id) if sample else None
    browser = browsing(inputs, notes.get("made") or {}, tracked, back)
    return {
        "notes": notes,
        "headline": headline(metrics, main).replace("->", "\u2192"),
        "changes": _changes(metrics, main),
        "suites": [_suite(metrics, suite) for suite in suites],
        "shapes": shape_figures(metrics, suites),
        "paper": paper,
        "levels": [table for suite in suites if (table := _levels(metrics, suite))],
        "curves": curve_figures(histories),
        "rl": rl,
        "sft": sft,
        "sample": sample,
        "aha": aha.aha(tracked, browser.shown if browser else ()),
        "lineage": back,
        "browser": browser,
        "students": _students(evaluations, metrics, main),
        "curation": _curation(inputs),
        "selections": [_selection(stage, inputs[stage]) for stage in SELECTIONS if stage in inputs],
        "bill": bill.bill_table(notes["cost"]) if notes.get("cost", {}).get("stages") else None,
        "paper_bill": bill.paper_bill(),
        "planned": planned_table(notes.get("plan") or ()),
        "planned_columns": COLUMNS,
        "conformance": notes.get("conformance") or (),
        "timings": tables.timings(notes.get("stages") or ()),
        "stage_name": stage_name,
    }


def _changes(metrics: Mapping[str, Metrics], suite: str) -> str:
    """What became of length, language and format between the first and the last model of the main line."""
    line = [model for model in MAIN_LINE if model in metrics]
    if len(line) < 2:
        return ""
    first, last = metrics[line[0]], metrics[line[-1]]
    wanted = (
        ("length", "response length", 1, " tokens"),
        ("language", "language consistency", 2, ""),
        ("format", "format", 2, ""),
    )
    parts = [
        f"{name} {number(first[key], digits)} \u2192 {number(last[key], digits)}{unit}"
        for short, name, digits, unit in wanted
        if (key := f"{suite}/{short}") in first and key in last
    ]
    return f"{stage_name(line[0])} to {stage_name(line[-1])}: {', '.join(parts)}." if parts else ""


def _suite(metrics: Mapping[str, Metrics], suite: str) -> dict[str, Any]:
    rows = suite_rows(metrics, suite)
    measured = next(m for m in metrics.values() if f"{suite}/pass_at_1" in m)
    return {
        "name": suite,
        "problems": int(measured.get(f"{suite}/problems", 0)),
        "published": published(suite),
        "columns": list(next(iter(rows.values()))),
        "rows": [(stage_name(model), model in STUDENTS, list(cells.values())) for model, cells in rows.items()],
    }


def _levels(metrics: Mapping[str, Metrics], suite: str) -> dict[str, Any] | None:
    levels, rows = level_rows(metrics, suite)
    if not levels:
        return None
    return {"suite": suite, "levels": levels, "rows": [(stage_name(model), cells) for model, cells in rows.items()]}


def _students(evaluations: Mapping[str, Path], metrics: Mapping[str, Metrics], suite: str) -> dict[str, Any] | None:
    measured = {model: metrics[model] for model in STUDENTS if model in metrics}
    if not {"distilled", "student_rl"} & set(measured):
        return None
    table = _suite(measured, suite) if any(f"{suite}/pass_at_1" in m for m in measured.values()) else None
    return {"table": table, "sentence": students.verdict(evaluations, suite)}


def _curation(inputs: Mapping[str, Path]) -> dict[str, Any] | None:
    if "curate" not in inputs:
        return None
    report = _json(inputs["curate"] / "report.json")
    pairs = report["contaminated"]
    return {
        "bars": tables.waterfall(report["counts"]),
        "made_of": [(n, tables.amounts(rows)) for n, rows in compose(inputs["curate"]).tables().items()],
        "dropped": dropped(inputs["curate"]),
        "evaluation": report["counts"].get("evaluation", 0),
        "pairs": pairs[: tables.PAIRS_SHOWN],
        "num_pairs": report["counts"]["contaminated"] + report["counts"].get("evaluation_variants", 0),
    }


def _selection(stage: str, artifact: Path) -> dict[str, Any]:
    report = _json(artifact / "report.json")
    return {
        "name": stage_name(stage),
        "bars": tables.passed_over(report),
        "seen": report["seen"],
        "selected": report["selected"],
        "general": report.get("general", 0),
    }


def _json(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _history(artifact: Path) -> Sequence[Metrics]:
    with (artifact / "history.jsonl").open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]
