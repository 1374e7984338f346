"""Sources to problems and suites."""

from prefect import flow
from prefect.runtime import flow_run

from r1flow.components.recipe.recipe import Recipe
from r1flow.tasks.announce import announce_dataset
from r1flow.tasks.data import curate_data
from r1flow.tasks.session import StageOutcome, session


@flow(name="curate", flow_run_name="curate-{recipe.preset}", validate_parameters=True)
def curate(recipe: Recipe) -> StageOutcome:
    """Read, validate, deduplicate and decontaminate the recipe's sources; publish the dataset and its report, and announce
    what is new."""
    with session(recipe):
        dataset = curate_data(recipe)
        if not dataset.reused and flow_run.get_parent_flow_run_id() is None:  # inside a recipe it is no news
            announce_dataset(recipe, dataset)
        return dataset
