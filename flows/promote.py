"""Promotion of a model through the gate."""

from prefect import flow

from r1flow.components.recipe.recipe import Recipe
from r1flow.components.tracking.promotions import named_model
from r1flow.tasks.approval import ask_whoever_decides
from r1flow.tasks.data import curate_data
from r1flow.tasks.evaluate import evaluate_model
from r1flow.tasks.registry import judge_model, promote_model
from r1flow.tasks.session import Champion, StageOutcome, session


@flow(name="promote", flow_run_name="promote-{recipe.registered_name}")
def promote(recipe: Recipe, model: StageOutcome | str, evaluation: StageOutcome | None = None) -> Champion:
    """Evaluate ``model`` unless that is done; the recipe's gate, and a person where it says so, decide whether it becomes
    champion."""
    with session(recipe) as run:
        if isinstance(model, str):
            ref = named_model(run.store, model)
            model = StageOutcome(name=model, ref=ref, reused=True, seconds=0.0, metrics={})
        if evaluation is None:
            dataset = curate_data(recipe)
            evaluation = evaluate_model(recipe, f"evaluate/{model.name}", model.ref, dataset.ref)
        decision = judge_model(recipe, evaluation)
        answer = ask_whoever_decides(recipe, model, decision)
        return promote_model(recipe, model, evaluation, answer)
