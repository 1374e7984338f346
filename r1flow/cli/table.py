"""The closing words of a run: the stage table, the champions, and where everything lies."""

from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from r1flow.components.evals.report.names import names_of
from r1flow.components.evals.report.stages import Metrics, share_interval, stage_rows
from r1flow.components.recipe.recipe import Recipe
from r1flow.components.recipe.settings import Settings


def closing_table(console: Console, recipe: Recipe, summary: dict[str, Any], settings: Settings) -> None:
    """Print the stage table and the addresses."""
    measured = {
        stage["name"].removeprefix("evaluate/"): stage["metrics"]
        for stage in summary["stages"]
        if stage["name"].startswith("evaluate/")
    }
    names = names_of(summary)
    rows = stage_rows(measured, list(recipe.suites), names) if measured else []
    if rows:
        columns = [name for name in rows[0] if _worth_a_column(name, list(recipe.suites))]
        table = Table(title=f"{recipe.name}, seed {recipe.seed}", title_justify="left", box=box.SIMPLE)
        for name in columns:
            table.add_column(name, justify="left" if name == "stage" else "right", no_wrap=name == "stage")
        for row, model in zip(rows, names.in_order(measured), strict=True):
            table.add_row(*(_cell(row, name, measured[model]) for name in columns))
        console.print(table)
    reused = sum(stage["reused"] for stage in summary["stages"])
    console.print(f"{len(summary['stages'])} stages, {reused} reused, {summary['seconds']:.1f} s")
    for champion in summary["champions"]:
        state = "is champion" if champion["promoted"] else "was not promoted"
        version = "" if champion["version"] is None else f" version {champion['version']}"
        console.print(f"{champion['model']}{version} {state}: {'; '.join(champion['reasons'])}")
    for label, place in places(summary, settings).items():
        console.print(f"{label:<10} {place}", soft_wrap=True)


def _cell(row: dict[str, str], name: str, metrics: Metrics) -> str:
    """A metric, with half the width of its 95 % interval where it has one; the report has the interval's ends."""
    suite, _, metric = name.partition(" ")
    interval = share_interval(metrics, f"{suite}/pass_at_1") if metric == "pass@1" else None
    return row[name] if interval is None else f"{row[name]} \u00b1{(interval[1] - interval[0]) / 2:.3f}"


def _worth_a_column(name: str, suites: list[str]) -> bool:
    """All of the first suite, pass@1 of the others; intervals stand beside pass@1, and the report has the rest."""
    suite, _, metric = name.partition(" ")
    if suite in suites[1:]:
        return metric == "pass@1"
    return "interval" not in metric


def places(summary: dict[str, Any], settings: Settings) -> dict[str, str]:
    """Where the run's traces lie, and how to look at them."""
    report = next((s["ref"]["uri"] for s in summary["stages"] if s["name"] == "report"), None)
    return {
        **({"report": f"r1 report {summary['run']}   ({report})"} if report else {}),
        "store": settings.store_uri,
        "pages": "r1 ui   (Prefect, MLflow and the reports in a browser)",
    }
