"""SFT of the base again on the teaching set, then RL on all scenarios (paper, sections 2.3.3 and 2.3.4)."""

from prefect import flow

from r1flow.components.recipe.recipe import Recipe
from r1flow.flows.reject import reject
from r1flow.flows.start import start_model
from r1flow.tasks.certify import certify
from r1flow.tasks.data import curate_data
from r1flow.tasks.difficulty import difficulty_of
from r1flow.tasks.session import StageOutcome, session
from r1flow.tasks.train import fine_tune, train_grpo


@flow(name="sft2", flow_run_name="sft2-{recipe.preset}")
def sft2(recipe: Recipe, teaching: StageOutcome | None = None) -> StageOutcome:
    """SFT of the base, not of Dev2, on the teaching set. The result is Dev3."""
    with session(recipe):
        base = start_model(recipe)
        teaching = teaching or reject(recipe)
        return fine_tune(recipe, "dev3", recipe.sft2, base.ref, teaching.ref)


@flow(name="grpo2", flow_run_name="grpo2-{recipe.preset}")
def grpo2(recipe: Recipe, dev3: StageOutcome | None = None) -> StageOutcome:
    """RL on all scenarios, by rules. The result is R1."""
    with session(recipe):
        dataset = curate_data(recipe)
        certificates = certify(recipe)
        dev3 = dev3 or sft2(recipe)
        rated = difficulty_of(recipe, "r1", recipe.grpo2, dev3.ref, dataset.ref)
        return train_grpo(recipe, "r1", recipe.grpo2, dev3.ref, dataset.ref, certificates, rated)
