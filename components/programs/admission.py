"""What can be seen to be wrong with a recipe and its surroundings before anything is started or computed."""

from collections.abc import Mapping

from r1flow.components.core.errors import ConfigError, StoreUnavailable
from r1flow.components.data.sources.files import open_source
from r1flow.components.recipe.graph import ADDRESS, SUITES, Graph
from r1flow.components.recipe.kinds import IMPLIED
from r1flow.components.recipe.origins import Origin, dataset_origins, need_addresses, shown, suite_origins
from r1flow.components.recipe.recipe import Recipe
from r1flow.components.recipe.stages import RateStage, RlStage
from r1flow.components.rewards.custom import reward_digests
from r1flow.components.rewards.shipped import check_names
from r1flow.components.sampling.vllm_families import refusal
from r1flow.components.store.models import is_remote, locate_model
from r1flow.components.store.objects import ObjectStore


def admit_store(store: ObjectStore) -> None:
    """ConfigError where the store cannot be written, or does not keep its promises."""
    try:
        store.probe()
    except StoreUnavailable as error:
        raise ConfigError(f"store: {error}") from error


def admit(recipe: Recipe, graph: Graph) -> None:
    """ConfigError, DataError or ModelError for what the nodes of ``graph`` would be refused for: a source that names no place
    or cannot be opened there, a reward that r1flow does not have or that cannot be imported, a start model that cannot be
    used."""
    for owner, origins in _origins(recipe, graph).items():
        need_addresses(origins, owner)
        for origin in origins:
            if origin.source.uri:
                with open_source(origin.source.uri, shown(f"{origin.setting}.uri", owner)):
                    pass
    admit_reward_names(recipe)
    for name, stage in recipe.stages.items():
        if name in graph.nodes and isinstance(stage, RlStage):
            reward_digests(stage.rewards.custom)
    admit_models(recipe, graph)


def admit_reward_names(recipe: Recipe) -> None:
    """ConfigError for a name that is none of r1flow's rewards; rewards of one's own are not looked for."""
    for name, stage in recipe.stages.items():
        if isinstance(stage, RlStage):
            check_names(stage.rewards.weights(), own=stage.rewards.custom, setting=f"{name}.rewards")


def admit_models(recipe: Recipe, graph: Graph) -> None:
    """ModelError for a directory that holds no model that can be used. A hub's model is looked at in a process of its own."""
    for name, model in recipe.models.items():
        if name in graph.nodes and not ADDRESS.fullmatch(model.source) and not is_remote(model.source):
            locate_model(model.source, model.revision, setting=f"models.{name}.source")


def admit_context(recipe: Recipe, graph: Graph, positions: Mapping[str, int]) -> None:
    """ConfigError for a ``max_tokens`` that leaves no room for any prompt; ``positions`` by start model, where they are known."""
    chosen = recipe.suites if recipe.evaluate.suites is None else recipe.evaluate.suites
    for name, node in graph.nodes.items():
        start, stage = recipe.start_of(node.subject or name), recipe.stages.get(name)
        asked: dict[str, int] = {}
        if node.kind is IMPLIED["evaluate"]:
            asked = {f"suites.{suite}": recipe.suites[suite].max_tokens for suite in chosen}
        elif isinstance(stage, RlStage | RateStage):
            asked = {f"stages.{name}": stage.max_tokens}
        for setting, most in asked.items():
            if start in positions and most >= positions[start]:
                raise ConfigError(
                    f"{setting}.max_tokens: {most:,} leave no room for a prompt in the {positions[start]:,} positions of "
                    f"{start}; lower it, or take a model with a longer context"
                )


def admit_sampler(recipe: Recipe, graph: Graph, device: str, unserved: Mapping[str, str]) -> None:
    """ConfigError where vLLM is asked for, on a CPU, to sample a model that it cannot serve; ``unserved`` says why, by start
    model."""
    if recipe.run.sampler != "vllm" or device != "cpu":
        return
    for name, node in graph.nodes.items():
        start = recipe.start_of(node.subject or name) if "sampler" in node.kind.reads else ""
        if start in unserved:
            raise ConfigError(refusal(unserved[start], f"the model {start}"))


def _origins(recipe: Recipe, graph: Graph) -> dict[str, list[Origin]]:
    """The sources that the graph reads, by the dataset or suites they are of."""
    found = {name: dataset_origins(dataset) for name, dataset in recipe.datasets.items() if name in graph.nodes}
    return found | ({SUITES: suite_origins(recipe.suites)} if SUITES in graph.nodes else {})
