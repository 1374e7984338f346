"""``r1 evaluate MODEL``: a model on suites, without training data and without a recipe."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from r1flow.cli.run import run_flow
from r1flow.cli.table import closing_table
from r1flow.components.programs.admission import admit, admit_store
from r1flow.components.recipe.presets import make_recipe, parse_settings, split_settings
from r1flow.components.recipe.settings import Settings
from r1flow.components.store.objects import open_store
from r1flow.components.tracking.promotions import own_prompt

MODEL = "model"


def measure_model(
    model: str, suites: Sequence[str], overrides: list[str], template: str | None, json_file: Path | None
) -> None:
    """Evaluate ``model`` on shipped ``suites``; what is there already is reused.

    Files come by ``--set suites.NAME.source.uri=FILE``.
    """
    chosen, rest = split_settings(overrides, Settings.model_fields)
    settings = Settings.model_validate(chosen)
    settings.prepare()
    started = time.monotonic()
    store = open_store(settings.store_uri)
    admit_store(store)
    source, asked = own_prompt(store, model)
    recipe = make_recipe(_recipe(source, model, asked, suites, template), parse_settings(rest))
    admit(recipe, recipe.graph)
    console = Console()

    def flow() -> None:
        from r1flow.flows.pipeline import pipeline

        pipeline(recipe=recipe.model_dump(mode="json", exclude_none=True))

    summary = run_flow(flow, recipe, settings, console, started)
    closing_table(console, recipe, summary, settings)
    if json_file is not None:
        json_file.write_text(json.dumps(summary, indent=1))


def _recipe(
    source: str, title: str, asked: dict[str, Any], suites: Sequence[str], template: str | None
) -> dict[str, Any]:
    """A recipe of one model and the suites. A model that r1flow trained is asked as it was trained to be, any other by its own
    chat template, unless ``template`` says otherwise."""
    prompt = asked.get("prompt", {"template": "tokenizer"}) | ({"template": template} if template else {})
    model = {"source": source, "title": title, **asked, "prompt": prompt}
    return {"name": "evaluate", "models": {MODEL: model}, "suites": {name: {"known": name} for name in suites}}
