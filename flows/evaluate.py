"""Evaluation of any model of the store, or of a model directory."""

from typing import Any

from prefect import flow

from r1flow.components.recipe.recipe import Recipe
from r1flow.components.recipe.settings import Settings as Machine
from r1flow.components.store.objects import open_store
from r1flow.components.tracking.promotions import own_prompt
from r1flow.flows.nodes import compute_nodes
from r1flow.flows.parameters import Preset, Settings, Whole, recipe_from
from r1flow.tasks.session import StageOutcome, session


@flow(name="evaluate", flow_run_name="evaluate {model}")
def evaluate(
    model: str, preset: Preset | None = None, set: Settings | None = None, recipe: Whole | None = None
) -> StageOutcome:
    """Run a recipe's suites on ``model``: `champion` or `champion:NAME`, an artifact as `r1 ls` shows it, a directory, or a
    hub id. It is asked as it was trained to be."""
    measured = _of_one_model(recipe_from(preset, set, recipe), model)
    with session(measured) as run:
        compute_nodes(measured.graph.only(["model"]))
        return run.done["evaluate/model"]


def _of_one_model(recipe: Recipe, model: str) -> Recipe:
    """A recipe's suites and that model alone."""
    source, asked = own_prompt(open_store(Machine().store_uri), model)
    parts: dict[str, Any] = {"name", "seed", "run", "suites"}
    data = recipe.model_dump(mode="json", exclude_none=True, include=parts)
    measured = None if recipe.evaluate.suites is None else list(recipe.evaluate.suites) or None
    data["models"] = {"model": {"source": source, "title": model, **asked}}
    data["evaluate"] = {} if measured is None else {"suites": measured}
    return Recipe.model_validate(data)
