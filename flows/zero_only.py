"""R1-Zero alone, from data to champion: what a first look at a large base needs."""

from prefect import flow

from r1flow.components.programs.admission import admit_models
from r1flow.components.recipe.recipe import Recipe
from r1flow.flows.curate import curate
from r1flow.flows.promote import promote
from r1flow.flows.r1_zero import r1_zero
from r1flow.flows.start import start_model
from r1flow.tasks.evaluate import evaluate_model
from r1flow.tasks.report import publish_report
from r1flow.tasks.session import Champion, session


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
