"""``r1 run``: settings, session, Prefect API, progress, closing table."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from r1flow.cli.progress import Progress
from r1flow.cli.table import closing_table
from r1flow.components.core.errors import ConfigError
from r1flow.components.programs.admission import admit, admit_store
from r1flow.components.recipe.graph import Graph
from r1flow.components.recipe.presets import load_recipe, split_settings
from r1flow.components.recipe.recipe import Recipe
from r1flow.components.recipe.settings import Settings
from r1flow.components.store.objects import open_store
from r1flow.tasks.prefect_api import orchestrator


def run_recipe(name: str, overrides: list[str], json_file: Path | None, only: Sequence[str] = ()) -> dict[str, Any]:
    """Run the preset or recipe file ``name``, or ``only`` some of its stages, and print where everything lies; the summary."""
    chosen, rest = split_settings(overrides, Settings.model_fields)
    recipe = load_recipe(name, rest)
    settings = Settings.model_validate(chosen)
    graph = _graph(recipe, only)
    settings.prepare()
    started = time.monotonic()
    # What would be refused by the first stages is refused at once: Prefect and MLflow take seconds to start.
    admit_store(open_store(settings.store_uri))
    admit(recipe, graph)
    console = Console()

    def flow() -> None:
        from r1flow.flows.pipeline import pipeline

        pipeline(preset=recipe.preset or recipe.name, only=list(only) or None)

    summary = run_flow(flow, recipe, settings, console, started)
    closing_table(console, recipe, summary, settings)
    if json_file is not None:
        json_file.write_text(json.dumps(summary, indent=1))
    return summary


def run_flow(
    flow: Callable[[], object], recipe: Recipe, settings: Settings, console: Console, started: float
) -> dict[str, Any]:
    """Call ``flow`` in a session with progress on ``console``, with a Prefect API of its own unless one is configured."""
    with prefect_api(settings) as standing:
        from prefect import tags

        from r1flow.components.store.liveness import run_tag
        from r1flow.tasks.session import session

        with Progress(console) as progress, session(recipe, settings, progress, standing=standing) as run:
            run.started = started  # with the server's start
            with tags(run_tag(run.run_id)):
                flow()
    return run.summary


@contextmanager
def prefect_api(settings: Settings) -> Iterator[bool]:
    """A Prefect API for the length of the block; whether it outlives it. Before the first `import prefect`."""
    # The embedded API answers from a thread of this process: at Python's default of 5 ms per turn each of its many small
    # steps waits for whoever computes.
    sys.setswitchinterval(0.0005)
    standing = bool(settings.prefect_api_url or os.environ.get("PREFECT_API_URL"))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as Ctrl-C: the run is recorded as crashed, stages stop
    with orchestrator(settings.home / "prefect", settings.prefect_api_url):
        yield standing


def _graph(recipe: Recipe, only: Sequence[str]) -> Graph:
    try:
        return recipe.graph.only(only) if only else recipe.graph
    except ConfigError as error:
        raise ConfigError(f"--only: {error}") from error
