"""How hard every problem is for every model."""

from prefect import flow

from r1flow.components.recipe.recipe import Recipe
from r1flow.tasks.difficulty import keep_ledger
from r1flow.tasks.session import StageOutcome, session


@flow(name="ledger", flow_run_name="ledger")
def ledger(recipe: Recipe | None = None) -> StageOutcome:
    """Pass rates, majority answers and doubtful labels over the lakes of all models on the store."""
    recipe = recipe or Recipe(preset="ledger")
    with session(recipe):
        return keep_ledger(recipe)
