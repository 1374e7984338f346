"""Reasoning RL from the cold start, with the language-consistency reward (paper, section 2.3.2)."""

from prefect import flow

from r1flow.components.recipe.recipe import Recipe
from r1flow.flows.cold_start import cold_start
from r1flow.tasks.certify import certify
from r1flow.tasks.data import curate_data
from r1flow.tasks.difficulty import difficulty_of
from r1flow.tasks.session import StageOutcome, session
from r1flow.tasks.train import train_grpo


@flow(name="grpo", flow_run_name="grpo-{recipe.preset}")
def grpo(recipe: Recipe, dev1: StageOutcome | None = None) -> StageOutcome:
    """GRPO on Dev1. The result is Dev2."""
    with session(recipe):
        dataset = curate_data(recipe)
        certificates = certify(recipe)
        dev1 = dev1 or cold_start(recipe)
        rated = difficulty_of(recipe, "dev2", recipe.grpo, dev1.ref, dataset.ref)
        return train_grpo(recipe, "dev2", recipe.grpo, dev1.ref, dataset.ref, certificates, rated)
