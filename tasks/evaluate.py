"""The stage that measures a model."""

from r1flow.components.recipe.recipe import Recipe
from r1flow.components.store.manifest import ArtifactRef
from r1flow.tasks.stage import Work, stage


@stage("evaluation", version="3")
def evaluate_model(recipe: Recipe, name: str, model: ArtifactRef, dataset: ArtifactRef) -> Work:
    """All suites of the recipe, on ``model``."""
    suites = {suite: settings.model_dump(mode="json", exclude={"source"}) for suite, settings in recipe.suites.items()}
    return Work(name, "evaluate", recipe, {"suites": suites}, {"model": model, "dataset": dataset}, len(suites))
