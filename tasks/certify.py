"""The stage that must have passed before any reinforcement learning."""

from components.config.recipe import Recipe
from tasks.stage import Work, stage

FORMATS = ("think_answer", "think_answer_strict")
LANGUAGES = ("en", "zh")


@stage("certificate", version="1")
def certify_rewards(recipe: Recipe, name: str = "certify") -> Work:
    """Every verifier that the recipe's rewards rest on, before the firewall. Raise the version with the verifiers."""
    kinds = [recipe.data.verifier if recipe.data and recipe.data.source != "tiny" else "exact"]
    if recipe.prompt.format in FORMATS:
        kinds.append("format")
    if recipe.language.other is None and recipe.language.target in LANGUAGES:
        kinds.append(f"language_{recipe.language.target}")
    return Work(name, "certify", recipe, {"kinds": kinds})
