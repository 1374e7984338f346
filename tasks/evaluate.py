"""The stage that measures a model."""

from components.config.recipe import Recipe
from components.store.manifest import ArtifactRef
from tasks.stage import Work, stage


@stage("evaluation", version="3")
def evaluate_model(recipe: Recipe, name: str, model: ArtifactRef, dataset: ArtifactRef) -> Work:
    """All suites of the recipe, on ``model``."""
    suites = {suite: settings.model_dump(mode="json", exclude={"source"}) for suite, settings in recipe.suites.items()}
    return Work(name, "evaluate", recipe, {"suites": suites}, {"model": model, "dataset": dataset}, len(suites))
