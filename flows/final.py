"""SFT of the base again on the teaching set, then RL on all scenarios (paper, sections 2.3.3 and 2.3.4)."""

from prefect import flow

from components.config.recipe import Recipe
from flows.reject import reject
from flows.start import start_model
from tasks.certify import certify
from tasks.data import curate_data
from tasks.difficulty import difficulty_of
from tasks.session import StageOutcome, session
from tasks.train import fine_tune, train_grpo


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
