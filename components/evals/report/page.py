"""The page: reads the artifacts of a run, computes what there is to say, renders one HTML file without any reference out.

A stage that a run does not have is left out; a page of a run that has only begun is a short page, not an error.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from r1flow.components.evals.aha_counts import Tracked, write_tables
from r1flow.components.evals.report import aha, bill, curation, paper, rivals, tables
from r1flow.components.evals.report.browser import browsing
from r1flow.components.evals.report.figures import curve_figures, shape_figures
from r1flow.components.evals.report.lineage import way
from r1flow.components.evals.report.names import Names, names_of
from r1flow.components.evals.report.planned import COLUMNS, planned_table
from r1flow.components.evals.report.references import published
from r1flow.components.evals.report.samples import before_after, printable
from r1flow.components.evals.report.stages import Metrics, headline, level_rows, number, suite_rows, suites_of
from r1flow.components.rewards.markers import Finder


def write_report(inputs: Mapping[str, Path], notes: Mapping[str, Any], path: Path, finder: Finder | None = None) -> int:
    """Write the report of the artifacts in ``inputs`` (directory by stage name) to ``path``; returns its number of plots.

    ``notes`` says what no artifact knows: run, recipe, description, seed, champions, stages, how they are called
    (:func:`names_of`), which models are rivals, and ``made``, the manifests' facts for the lineage. The same inputs and notes
    give the same bytes. What ``finder`` has counted in the lakes lies beside the page, as tables.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    names = names_of(notes)
    tracked = aha.track_lakes(inputs, finder or Finder(), names)
    artifacts = {stage["name"]: f"{stage['kind']}/{stage['fingerprint'][:12]}" for stage in notes.get("stages") or ()}
    write_tables(path.parent, {stage: (artifacts.get(stage, ""), found) for stage, found in tracked.items()})
    facts = collect(inputs, notes, tracked, names)
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


def collect(
    inputs: Mapping[str, Path], notes: Mapping[str, Any], tracked: Mapping[str, Tracked], names: Names
) -> dict[str, Any]:
    """Everything the template shows, by section; an empty value leaves its section out."""
    evaluations = {
        name.removeprefix("evaluate/"): path for name, path in inputs.items() if name.startswith("evaluate/")
    }
    metrics = {model: _json(path / "metrics.json") for model, path in evaluations.items()}
    histories = {stage: _history(path) for stage, path in inputs.items() if (path / "history.jsonl").exists()}
    kinds = {stage["name"]: stage["kind"] for stage in notes.get("stages") or ()}
    datasets, selections = (
        {name: inputs[name] for name in names.in_order(inputs) if kinds.get(name) == kind}
        for kind in ("dataset", "selection")
    )
    suites = suites_of(metrics, names)
    main = suites[0] if suites else ""
    rl, sft = tables.training_rows(histories, inputs, names)
    sample = before_after(evaluations, main, names)
    made = notes.get("made") or {}
    back = way(inputs, made, sample.models[-1].model, sample.problem_id, names) if sample else None
    browser = browsing(inputs, made, tracked, back, names)
    beside_paper = not paper.TRAINED.isdisjoint(names.main_line)
    return {
        "notes": notes,
        "headline": headline(metrics, main, names).replace("->", "\u2192"),
        "changes": _changes(metrics, main, names),
        "suites": [_suite(metrics, suite, names) for suite in suites],
        "shapes": shape_figures(metrics, suites, names, beside_paper=beside_paper),
        "paper": paper,
        "beside_paper": beside_paper,
        "levels": [table for suite in suites if (table := _levels(metrics, suite, names))],
        "curves": curve_figures(histories, names),
        "rl": rl,
        "sft": sft,
        "sample": sample,
        "aha": aha.aha(tracked, browser.shown if browser else (), names),
        "lineage": back,
        "browser": browser,
        "rivals": _rivals(evaluations, metrics, main, [(a, b) for a, b in notes.get("rivals") or ()], kinds, names),
        "datasets": [curation.dataset_section(name, path, names) for name, path in datasets.items()],
        "clean": curation.clean_table(evaluations, list(datasets.values()), names),
        "selections": [curation.selection_section(name, path, names) for name, path in selections.items()],
        "bill": bill.bill_table(notes["cost"], names) if notes.get("cost", {}).get("stages") else None,
        "paper_bill": bill.paper_bill(),
        "planned": planned_table(notes.get("plan") or (), names),
        "planned_columns": COLUMNS,
        "conformance": notes.get("conformance") or (),
        "timings": tables.timings(notes.get("stages") or (), names),
        "title": names.title,
    }


def _changes(metrics: Mapping[str, Metrics], suite: str, names: Names) -> str:
    """What became of length, language and format between the first and the last model of the main line."""
    line = names.line(metrics)
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
    return f"{names.title(line[0])} to {names.title(line[-1])}: {', '.join(parts)}." if parts else ""


def _suite(metrics: Mapping[str, Metrics], suite: str, names: Names) -> dict[str, Any]:
    rows = suite_rows(metrics, suite, names)
    measured = next(m for m in metrics.values() if f"{suite}/pass_at_1" in m)
    starts = [names.starts.get(model, "") for model in rows]
    return {
        "name": suite,
        "problems": int(measured.get(f"{suite}/problems", 0)),
        "published": published(suite),
        "columns": list(next(iter(rows.values()))),
        "rows": [
            (names.title(model), start != before, list(cells.values()))
            for (model, cells), start, before in zip(rows.items(), starts, [*starts[:1], *starts], strict=False)
        ],
    }


def _levels(metrics: Mapping[str, Metrics], suite: str, names: Names) -> dict[str, Any] | None:
    levels, rows = level_rows(metrics, suite, names)
    if not levels:
        return None
    return {"suite": suite, "levels": levels, "rows": [(names.title(model), cells) for model, cells in rows.items()]}


def _rivals(
    evaluations: Mapping[str, Path],
    metrics: Mapping[str, Metrics],
    suite: str,
    pairs: Sequence[rivals.Pair],
    kinds: Mapping[str, str],
    names: Names,
) -> dict[str, Any] | None:
    """The models of every other start model than the main line's, where any of them was trained; and rivals of one start."""
    verdicts = rivals.verdicts(evaluations, suite, pairs, names)
    others = list(names.families().items())[1:]
    families = [family for start, family in others if any(model in metrics for model in family if model != start)]
    measured = [{model: metrics[model] for model in family if model in metrics} for family in families]
    tables = [
        _suite(of, suite, names) for of in measured if any(f"{suite}/pass_at_1" in found for found in of.values())
    ]
    if not verdicts and not tables:
        return None
    taught = any({kinds.get(one), kinds.get(other)} == {"sft", "rl"} for one, other in verdicts)
    return {"tables": tables, "sentences": list(verdicts.values()), "taught_or_not": taught}


def _json(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _history(artifact: Path) -> Sequence[Metrics]:
    with (artifact / "history.jsonl").open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]
