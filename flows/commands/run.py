"""``r1 run``: settings, session, Prefect API, progress, closing table."""

import json
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

from components.config.presets import load_recipe, split_settings
from components.config.recipe import Recipe
from components.config.settings import Settings
from components.plan.bill import cost_metrics
from flows.commands.progress import Progress
from flows.commands.table import closing_table
from flows.orchestrator import orchestrator


def run_recipe(preset: str, overrides: list[str], json_file: Path | None) -> dict[str, Any]:
    """Run ``preset`` and print where everything lies; the run's summary."""
    # The embedded API answers from a thread of this process: at Python's default of 5 ms per turn each of its many small
    # steps waits for whoever computes.
    sys.setswitchinterval(0.0005)
    console = Console()
    chosen, recipe_overrides = split_settings(overrides, Settings.model_fields)
    recipe = load_recipe(preset, recipe_overrides)
    settings = Settings(**chosen)
    settings.prepare()
    started = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as Ctrl-C: the run is recorded as crashed, stages stop
    with orchestrator(settings.home / "prefect", settings.prefect_api_url):
        summary = _run(recipe, settings, console, started)
    closing_table(console, recipe, summary, settings)
    if json_file is not None:
        json_file.write_text(json.dumps(summary, indent=1))
    return summary


def _run(recipe: Recipe, settings: Settings, console: Console, started: float) -> dict[str, Any]:
    from tasks.report import run_summary
    from tasks.session import session

    flow = _flow(recipe.flow)
    with Progress(console) as progress, session(recipe, settings, progress) as run:
        result = flow(recipe)
        champion = result if recipe.flow in ("r1", "r1_zero") else None
        summary = run_summary(run, champion, time.monotonic() - started)
        run.tracking.log_summary(run.run_id, cost_metrics(summary["cost"]["together"]))
        kept = {**summary, "recipe": recipe.model_dump(mode="json", exclude_none=True)}
        run.store.create(f"runs/{run.run_id}/summary.json", json.dumps(kept, indent=1).encode())
        return summary


def _flow(name: str) -> Callable[[Recipe], Any]:
    if name == "r1":
        from flows.r1 import r1

        return r1
    if name == "r1_zero":
        from flows.zero_only import zero_only

        return zero_only
    if name == "tiny_base":
        from flows.tiny_base import tiny_base

        return tiny_base
    if name == "ledger":
        from flows.ledger import ledger

        return ledger
    from flows.curate import curate

    return curate
