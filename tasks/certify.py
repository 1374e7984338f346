"""The stages that must have passed before any reinforcement learning."""

from pydantic import BaseModel, ConfigDict

from r1flow.components.recipe.grpo import GrpoConfig
from r1flow.components.recipe.recipe import Recipe
from r1flow.components.training.checks.limits import GRADIENT
from r1flow.tasks.session import StageOutcome
from r1flow.tasks.stage import Work, stage

FORMATS = ("think_answer", "think_answer_strict")
LANGUAGES = ("en", "zh")
OBJECTIVE = {
    "algorithm", "normalization", "clip_low", "clip_high", "dual_clip", "kl_weight", "kl_estimator", "kl_unbiased",
    "entropy_weight", "correction", "correction_bounds", "temperature", "max_tokens", "mini_batches",
    "prompts_per_step", "samples_per_prompt", "micro_tokens",
}  # fmt: skip
"""The settings of an RL stage that its gradient depends on, and those that make them a valid section."""


@stage("certificate", version="1")
def certify_rewards(recipe: Recipe, name: str = "certify") -> Work:
    """Every verifier that the recipe's rewards rest on, before the firewall. Raise the version with the verifiers."""
    kinds: list[str] = [*recipe.data.verifiers] if recipe.data else ["exact"]
    if recipe.prompt.format in FORMATS:
        kinds.append("format")
    if recipe.language.other is None and recipe.language.target in LANGUAGES:
        kinds.append(f"language_{recipe.language.target}")
    return Work(name, "certify", recipe, {"kinds": kinds})


@stage("gradient", version="1")
def certify_gradient(recipe: Recipe, name: str = "certify/gradient") -> Work:
    """The gradient proof for every objective of the recipe on its engine; no input of a stage, for it decides no result."""
    sections = {n: getattr(recipe, n) for n in type(recipe).model_fields}
    stages = {n: s.model_dump(mode="json", include=OBJECTIVE) for n, s in sections.items() if isinstance(s, GrpoConfig)}
    engine = recipe.run.engine.model_dump(mode="json", exclude={"rendezvous", "hostfile", "timeout_s"})
    return Work(name, "certify_gradient", recipe, {"stages": stages, "engine": engine})


class Certificates(BaseModel):
    """What holds before any RL: the rewards' certificate, and the gradient's."""

    model_config = ConfigDict(frozen=True)

    rewards: StageOutcome
    gradient: StageOutcome

    def tags(self, recipe: Recipe, settings: GrpoConfig) -> dict[str, str]:
        """Both as facts about a stage of ``settings``, for the MLflow run and the registered model."""
        section = next(name for name in type(recipe).model_fields if getattr(recipe, name) == settings)
        return {f"firewall.{name}": str(value) for name, value in self.rewards.metrics.items()} | {
            "gradient.error": f"{self.gradient.metrics[section]:.1e}",
            "gradient.limit": f"{GRADIENT:.0e}",
        }


def certify(recipe: Recipe) -> Certificates:
    """Everything that is certified before RL."""
    return Certificates(rewards=certify_rewards(recipe), gradient=certify_gradient(recipe))
