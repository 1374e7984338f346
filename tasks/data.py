"""Stages that make data."""

from pathlib import PurePosixPath

from components.config.recipe import Recipe
from components.config.stages import SelectConfig
from components.data.sources import source_digest
from components.errors import ConfigError
from components.store.manifest import ArtifactRef
from tasks.stage import Work, stage


@stage("dataset", version="2")
def curate_data(recipe: Recipe, name: str = "curate") -> Work:
    """Problems and suites from the recipe's sources, which are identified by their bytes."""
    data = recipe.data
    if data is None:
        raise ConfigError("data: this recipe has no data section; add one, or name a preset that has")
    if data.source == "jsonl" and not data.path:
        raise ConfigError("data.path: a path or URI of a JSONL file is needed; give it with --set data.path=FILE")
    sources = {key: uri for key, uri in (("path", data.path), ("against", data.against)) if uri}
    config = {
        "data": data.model_dump(mode="json", exclude=set(sources)),
        "suites": {
            suite: settings.model_dump(mode="json", include={"skill", "problems", "version"})
            for suite, settings in recipe.suites.items()
        },
        "names": {key: PurePosixPath(uri).name for key, uri in sources.items()},
        "digests": {key: source_digest(uri, setting=f"data.{key}") for key, uri in sources.items()},
    }
    return Work(name, "curate", recipe, config, notes=sources)


@stage("selection", version="1")
def select_completions(
    recipe: Recipe, name: str, settings: SelectConfig, policy: ArtifactRef, dataset: ArtifactRef, general: int = 0
) -> Work:
    """Teaching data from a policy's lake, with ``general`` rows of general data."""
    config = {"select": settings.model_dump(mode="json"), "general": general}
    return Work(name, "select", recipe, config, {"policy": policy, "dataset": dataset})
