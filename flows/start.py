"""The models that a recipe starts from, as artifacts."""

from r1flow.components.core.errors import ConfigError
from r1flow.components.recipe.recipe import Recipe
from r1flow.tasks.session import StageOutcome
from r1flow.tasks.train import import_model


def start_model(recipe: Recipe) -> StageOutcome:
    """The base model."""
    if recipe.base is None:
        raise ConfigError("base: this recipe names no base model; give it with --set base.source=...")
    return import_model(recipe, "base", recipe.base)


def start_student(recipe: Recipe) -> StageOutcome:
    """The smaller base model that is to become a student."""
    if recipe.student is None:
        raise ConfigError("student: this recipe names no student; give it with --set student.source=...")
    return import_model(recipe, "student", recipe.student)
