"""R1-Zero: reinforcement learning from the base, with no supervised data before it (paper, section 2.2)."""

from prefect import flow

from components.config.recipe import Recipe
from flows.start import start_model
from tasks.certify import certify
from tasks.data import curate_data
from tasks.difficulty import difficulty_of
from tasks.session import StageOutcome, session
from tasks.train import train_grpo


@flow(name="r1_zero", flow_run_name="r1_zero-{recipe.preset}")
def r1_zero(recipe: Recipe, base: StageOutcome | None = None, dataset: StageOutcome | None = None) -> StageOutcome:
    """GRPO on the base model with rule-based rewards for accuracy and format."""
    with session(recipe):
        dataset = dataset or curate_data(recipe)
        base = base or start_model(recipe)
        certificates = certify(recipe)
        rated = difficulty_of(recipe, "r1_zero", recipe.r1_zero, base.ref, dataset.ref)
        return train_grpo(recipe, "r1_zero", recipe.r1_zero, base.ref, dataset.ref, certificates, rated)
