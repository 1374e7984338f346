"""Pre-training of the tiny world's base models: how the shipped ones were made."""

from prefect import flow

from r1flow.components.recipe.recipe import Recipe
from r1flow.tasks.data import curate_data
from r1flow.tasks.evaluate import evaluate_model
from r1flow.tasks.session import StageOutcome, session
from r1flow.tasks.train import pretrain


@flow(name="tiny_base", flow_run_name="{recipe.preset}-{recipe.seed}")
def tiny_base(recipe: Recipe) -> list[StageOutcome]:
    """Base and student from nothing, each evaluated; the suites' problems are kept out of the corpus."""
    with session(recipe):
        dataset = curate_data(recipe)
        models = [
            pretrain.submit(recipe, name, settings, dataset.ref)
            for name, settings in (("base", recipe.pretrain), ("student", recipe.pretrain_student))
        ]
        outcomes = [future.result() for future in models]
        return [evaluate_model(recipe, f"evaluate/{model.name}", model.ref, dataset.ref) for model in outcomes]
