"""R1-Zero alone, from data to champion: what a first look at a large base needs."""

from prefect import flow

from components.admission import admit_models
from components.config.recipe import Recipe
from flows.curate import curate
from flows.promote import promote
from flows.r1_zero import r1_zero
from flows.start import start_model
from tasks.evaluate import evaluate_model
from tasks.report import publish_report
from tasks.session import Champion, session


@flow(name="zero_only", flow_run_name="{recipe.preset}-{recipe.seed}")
def zero_only(recipe: Recipe) -> Champion:
    """Curate, R1-Zero, evaluation before and after, gate, promotion, report."""
    with session(recipe):
        admit_models(recipe)
        dataset = curate(recipe)
        base = start_model(recipe)
        evaluate_model(recipe, "evaluate/base", base.ref, dataset.ref)
        zero = r1_zero(recipe, base, dataset)
        evaluation = evaluate_model(recipe, "evaluate/r1_zero", zero.ref, dataset.ref)
        champion = promote(recipe, zero, evaluation)
        publish_report(recipe)
        return champion
