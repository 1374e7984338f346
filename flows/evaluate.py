"""Evaluation of any model in the store."""

from prefect import flow

from r1flow.components.recipe.recipe import Recipe
from r1flow.components.tracking.promotions import named_model
from r1flow.tasks.data import curate_data
from r1flow.tasks.evaluate import evaluate_model
from r1flow.tasks.session import StageOutcome, session


@flow(name="evaluate", flow_run_name="evaluate-{model}")
def evaluate(recipe: Recipe, model: str) -> StageOutcome:
    """Run the recipe's suites on ``model``: `champion`, or an artifact's kind/fingerprint, fingerprint's start or URI."""
    with session(recipe) as run:
        dataset = curate_data(recipe)
        return evaluate_model(recipe, f"evaluate/{model}", named_model(run.store, model), dataset.ref)
