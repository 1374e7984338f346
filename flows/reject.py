"""Rejection sampling, and SFT of the base again on what it yields (paper, section 2.3.3)."""

from prefect import flow

from r1flow.components.recipe.recipe import Recipe
from r1flow.flows.grpo import grpo
from r1flow.tasks.data import curate_data, select_completions
from r1flow.tasks.session import StageOutcome, session


@flow(name="reject", flow_run_name="reject-{recipe.preset}")
def reject(recipe: Recipe, dev2: StageOutcome | None = None) -> StageOutcome:
    """Correct and readable completions of Dev2 from the lake, with general data added: the teaching set."""
    with session(recipe):
        dataset = curate_data(recipe)
        dev2 = dev2 or grpo(recipe)
        return select_completions(recipe, "reject", recipe.reject, dev2.ref, dataset.ref)
