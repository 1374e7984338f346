"""Cold start: a few long, readable chains give the base a form to reason in (paper, section 2.3.1)."""

from prefect import flow

from r1flow.components.recipe.recipe import Recipe
from r1flow.components.recipe.stages import RejectConfig
from r1flow.flows.r1_zero import r1_zero
from r1flow.flows.start import start_model
from r1flow.tasks.data import curate_data, select_completions
from r1flow.tasks.session import StageOutcome, session
from r1flow.tasks.train import fine_tune


@flow(name="cold_start", flow_run_name="cold_start-{recipe.preset}")
def cold_start(recipe: Recipe, zero: StageOutcome | None = None) -> StageOutcome:
    """SFT of the base on readable, correct rollouts of R1-Zero. The result is Dev1."""
    with session(recipe):
        dataset, base = curate_data(recipe), start_model(recipe)
        zero = zero or r1_zero(recipe)
        settings = recipe.cold_start
        chains = select_completions(
            recipe, "cold_start/chains", RejectConfig(select=settings.select), zero.ref, dataset.ref
        )
        return fine_tune(recipe, "dev1", settings.sft, base.ref, chains.ref)
