"""Distillation: the teaching set makes a reasoner of a smaller model, without RL (paper, section 2.4)."""

from prefect import flow

from r1flow.components.recipe.recipe import Recipe
from r1flow.flows.reject import reject
from r1flow.flows.start import start_student
from r1flow.tasks.session import StageOutcome, session
from r1flow.tasks.train import fine_tune


@flow(name="distill", flow_run_name="distill-{recipe.preset}")
def distill(recipe: Recipe, teaching: StageOutcome | None = None) -> StageOutcome:
    """SFT of the student's base on the teaching set."""
    with session(recipe):
        student = start_student(recipe)
        teaching = teaching or reject(recipe)
        return fine_tune(recipe, "distilled", recipe.distill, student.ref, teaching.ref)
