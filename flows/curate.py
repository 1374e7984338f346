"""Sources to problems and suites."""

from prefect import flow

from components.config.recipe import Recipe
from tasks.data import curate_data
from tasks.session import StageOutcome, session


@flow(name="curate", flow_run_name="curate-{recipe.preset}", validate_parameters=True)
def curate(recipe: Recipe) -> StageOutcome:
    """Read, validate, deduplicate and decontaminate the recipe's sources; publish the dataset and its report."""
    with session(recipe):
        return curate_data(recipe)
