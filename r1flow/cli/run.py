"""``r1 run``: settings, session, Prefect API, progress, closing table."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

from r1flow.cli.progress import Progress
from r1flow.cli.table import closing_table
from r1flow.components.programs.admission import admit_data, admit_models, admit_rewards, admit_store
from r1flow.components.recipe.presets import load_recipe, split_settings
from r1flow.components.recipe.recipe import Recipe
from r1flow.components.recipe.settings import Settings
from r1flow.components.store.objects import open_store
from r1flow.tasks.prefect_api import orchestrator


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
    _admit(recipe, settings)
    standing = bool(settings.prefect_api_url or os.environ.get("PREFECT_API_URL"))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as Ctrl-C: the run is recorded as crashed, stages stop
    with orchestrator(settings.home / "prefect", settings.prefect_api_url):
        summary = _run(recipe, settings, console, started, standing=standing)
    closing_table(console, recipe, summary, settings)
    if json_file is not None:
        json_file.write_text(json.dumps(summary, indent=1))
    return summary


def _run(recipe: Recipe, settings: Settings, console: Console, started: float, *, standing: bool) -> dict[str, Any]:
    from prefect import tags

    from r1flow.components.store.liveness import run_tag
    from r1flow.tasks.session import session

    flow = _flow(recipe.flow)
    with Progress(console) as progress, session(recipe, settings, progress, standing=standing) as run:
        run.started = started  # with the server's start
        with tags(run_tag(run.run_id)):
            flow(recipe)
    return run.summary


def _admit(recipe: Recipe, settings: Settings) -> None:
    """What would be refused by the first stages is refused at once: Prefect and MLflow take seconds to start."""
    admit_store(open_store(settings.store_uri))
    admit_data(recipe)
    if recipe.flow in ("r1", "r1_zero"):
        admit_rewards(recipe)
        admit_models(recipe)


def _flow(name: str) -> Callable[[Recipe], Any]:
    if name == "r1":
        from r1flow.flows.r1 import r1

        return r1
    if name == "r1_zero":
        from r1flow.flows.zero_only import zero_only

        return zero_only
    if name == "tiny_base":
        from r1flow.flows.tiny_base import tiny_base

        return tiny_base
    if name == "ledger":
        from r1flow.flows.ledger import ledger

        return ledger
    from r1flow.flows.curate import curate

    return curate
