"""Stages that make models."""

from r1flow.components.core.digest import directory_digest
from r1flow.components.core.models import locate_model
from r1flow.components.recipe.recipe import BaseTrainingConfig, ModelConfig, Recipe
from r1flow.components.recipe.stages import GrpoConfig, SftConfig
from r1flow.components.rewards.custom import reward_digests
from r1flow.components.store.manifest import ArtifactRef
from r1flow.tasks.certify import Certificates
from r1flow.tasks.session import current_session
from r1flow.tasks.stage import Work, stage


@stage("model", version="1")
def import_model(recipe: Recipe, name: str, source: ModelConfig) -> Work:
    """A start model as an artifact. A local directory is identified by its bytes, a hub id by its revision."""
    config: dict[str, object] = {"model": source.model_dump(mode="json")}
    directory = locate_model(source.source, source.revision)
    config["digest"] = directory_digest(directory, current_session().settings.cache)
    return Work(name, "import_model", recipe, config)


@stage("pretrained", version="2")
def pretrain(recipe: Recipe, name: str, settings: BaseTrainingConfig, dataset: ArtifactRef) -> Work:
    """A tiny base model from nothing."""
    config = {"pretrain": settings.model_dump(mode="json")}
    return Work(name, "pretrain", recipe, config, {"dataset": dataset}, settings.steps)


@stage("grpo", version="4")
def train_grpo(
    recipe: Recipe,
    name: str,
    settings: GrpoConfig,
    policy: ArtifactRef,
    dataset: ArtifactRef,
    certificates: Certificates,
    difficulty: ArtifactRef | None = None,
) -> Work:
    """Reinforcement learning from ``policy`` on the dataset's problems, with what was certified before.

    ``difficulty`` has the pass rates that ``settings.difficulty`` chooses problems by.
    """
    config: dict[str, object] = {"grpo": settings.model_dump(mode="json")}
    engine = recipe.run.engine
    if (
        engine.kind != "single" or engine.dtype != "float32"
    ):  # where ranks meet and how long they wait decides no result
        config["engine"] = engine.model_dump(mode="json", exclude={"rendezvous", "hostfile", "timeout_s"})
    if settings.rewards.custom:
        config["rewards"] = reward_digests(settings.rewards.custom)
    inputs = {"policy": policy, "dataset": dataset, "certificate": certificates.rewards.ref}
    if difficulty is not None:
        inputs["difficulty"] = difficulty
    return Work(name, "grpo", recipe, config, inputs, settings.steps, tags=certificates.tags(recipe, settings))


@stage("sft", version="2")
def fine_tune(recipe: Recipe, name: str, settings: SftConfig, model: ArtifactRef, dataset: ArtifactRef) -> Work:
    """Supervised fine-tuning of ``model`` on a selected set."""
    config = {"sft": settings.model_dump(mode="json")}
    return Work(name, "sft", recipe, config, {"model": model, "dataset": dataset})
