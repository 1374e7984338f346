"""R1-Zero: reinforcement learning from the base, with no supervised data before it (paper, section 2.2)."""

from prefect import flow

from r1flow.components.recipe.recipe import Recipe
from r1flow.flows.start import start_model
from r1flow.tasks.certify import certify
from r1flow.tasks.data import curate_data
from r1flow.tasks.difficulty import difficulty_of
from r1flow.tasks.session import StageOutcome, session
from r1flow.tasks.train import train_grpo


@flow(name="r1_zero", flow_run_name="r1_zero-{recipe.preset}")
def r1_zero(recipe: Recipe, base: StageOutcome | None = None, dataset: StageOutcome | None = None) -> StageOutcome:
    """GRPO on the base model with rule-based rewards for accuracy and format."""
    with session(recipe):
        dataset = dataset or curate_data(recipe)
        base = base or start_model(recipe)
        certificates = certify(recipe)
        rated = difficulty_of(recipe, "r1_zero", recipe.r1_zero, base.ref, dataset.ref)
        return train_grpo(recipe, "r1_zero", recipe.r1_zero, base.ref, dataset.ref, certificates, rated)
