"""``r1 run --sweep``: a run per combination of settings, and which came out best."""

import json
import time
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from r1flow.cli.progress import Progress
from r1flow.cli.run import prefect_api
from r1flow.components.core.errors import StageFailed
from r1flow.components.programs.admission import admit_store
from r1flow.components.recipe.presets import load_recipe, parse_settings, read_recipe, split_settings
from r1flow.components.recipe.settings import Settings
from r1flow.components.recipe.sweep import axes_of
from r1flow.components.store.objects import open_store


def run_sweep(
    name: str, overrides: list[str], sweeps: Sequence[str], json_file: Path | None, only: Sequence[str] = ()
) -> None:
    """Run every combination and print them, best first. StageFailed where a point failed, after all others have ended."""
    chosen, rest = split_settings(overrides, Settings.model_fields)
    axes, settings = axes_of(sweeps), Settings.model_validate(chosen)
    load_recipe(name, rest)
    settings.prepare()
    admit_store(open_store(settings.store_uri))
    console, started = Console(), time.monotonic()
    with prefect_api(settings) as standing, Progress(console) as progress:
        from r1flow.flows.sweep import sweep
        from r1flow.tasks.sweeping import watched

        with watched(settings, progress, standing=standing):
            lines = sweep(axes, None, list(only) or None, dict(parse_settings(rest)), read_recipe(name))
    table = Table(
        "point", "pass@1", "against the best", "to promote it", box=box.SIMPLE, title=f"{name}: {len(lines)} points"
    )
    for column in table.columns:
        column.overflow = "fold"
    for line in lines:
        score = "" if line.pass_at_1 is None else f"{line.pass_at_1:.3f}"
        table.add_row(line.point, score, line.error or line.against_best, line.promote)
    console.print(table)
    if lines and lines[0].promote:
        console.print(f"best: {lines[0].point}   {lines[0].promote}", soft_wrap=True)
    console.print(f"{time.monotonic() - started:.1f} s")
    if json_file is not None:
        json_file.write_text(json.dumps([line.model_dump(mode="json") for line in lines], indent=1))
    if failed := [line for line in lines if line.error]:
        raise StageFailed(f"{len(failed)} of {len(lines)} points failed: {'; '.join(line.point for line in failed)}")
