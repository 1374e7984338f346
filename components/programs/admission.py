"""What can be seen to be wrong with a recipe and its surroundings before anything is started or computed."""

from r1flow.components.core.errors import ConfigError, StoreUnavailable
from r1flow.components.core.models import locate_model
from r1flow.components.data.sources.files import open_source
from r1flow.components.recipe.origins import addresses, evaluation_origins, need_addresses, training_origins
from r1flow.components.recipe.recipe import Recipe
from r1flow.components.recipe.stages import GrpoConfig
from r1flow.components.rewards.custom import reward_digests
from r1flow.components.rewards.shipped import check_names
from r1flow.components.store.objects import ObjectStore


def admit_store(store: ObjectStore) -> None:
    """ConfigError where the store cannot be written, or does not keep its promises."""
    try:
        store.probe()
    except StoreUnavailable as error:
        raise ConfigError(f"store: {error}") from error


def admit_data(recipe: Recipe) -> None:
    """ConfigError or DataError for a source that names no place, or a file or object that cannot be opened there."""
    if recipe.data is None:
        return
    need_addresses([*training_origins(recipe.data), *evaluation_origins(recipe.data, recipe.suites).values()])
    for setting, uri in addresses(recipe.model_dump(mode="json", include={"data", "suites"})):
        with open_source(uri, setting):
            pass


def admit_reward_names(recipe: Recipe) -> None:
    """ConfigError for a name that is none of r1flow's rewards; rewards of one's own are not looked for."""
    for section, config in _rl(recipe):
        check_names(config.rewards.weights(), own=config.rewards.custom, setting=f"{section}.rewards")


def admit_rewards(recipe: Recipe) -> None:
    """ConfigError for a reward that r1flow does not have, or one's own that cannot be imported."""
    admit_reward_names(recipe)
    for _, config in _rl(recipe):
        reward_digests(config.rewards.custom)


def _rl(recipe: Recipe) -> list[tuple[str, GrpoConfig]]:
    sections = {
        "r1_zero": recipe.r1_zero,
        "grpo": recipe.grpo,
        "grpo2": recipe.grpo2,
        "student_rl": recipe.student_rl,
    }
    return [(name, config) for name, config in sections.items() if config is not None]


def admit_models(recipe: Recipe) -> None:
    """ModelError for a start model that cannot be used. A hub's model is fetched."""
    for model in (recipe.base, recipe.student):
        if model is not None:
            locate_model(model.source, model.revision)
