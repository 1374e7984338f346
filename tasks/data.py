"""Stages that make data."""

from pathlib import PurePosixPath

from r1flow.components.core.errors import ConfigError
from r1flow.components.data.sources import format_of, generator_version, source_digest
from r1flow.components.recipe.origins import (
    SHORTHANDS,
    addresses,
    evaluation_origins,
    need_addresses,
    training_origins,
    with_addresses,
)
from r1flow.components.recipe.recipe import Recipe
from r1flow.components.recipe.stages import RejectConfig
from r1flow.components.store.manifest import ArtifactRef
from r1flow.tasks.stage import Work, stage


@stage("dataset", version="2")
def curate_data(recipe: Recipe, name: str = "curate") -> Work:
    """Problems and suites from the recipe's sources: files by their bytes, hub datasets by commit, generators by version."""
    data = recipe.data
    if data is None:
        raise ConfigError("data: this recipe has no data section; add one, or name a preset that has")
    origins = [*training_origins(data), *evaluation_origins(data, recipe.suites).values()]
    need_addresses(origins)
    suites = {
        suite: settings.model_dump(mode="json", include={"skill", "source", "problems", "version"})
        for suite, settings in recipe.suites.items()
    }
    settings = {"data": data.model_dump(mode="json"), "suites": suites}
    found = dict(addresses(settings))
    config = {
        **with_addresses(settings, dict.fromkeys(found)),
        "names": {key: PurePosixPath(uri).name for key, uri in found.items() if key in SHORTHANDS},
        "formats": {key: list(format_of(uri)) for key, uri in found.items()},
        "digests": {key: source_digest(uri, setting=key) for key, uri in found.items()},
        "generators": {o.setting: generator_version(o.source) for o in origins if o.source.generator},
    }
    return Work(name, "curate", recipe, config, notes={"addresses": found})


@stage("selection", version="2")
def select_completions(
    recipe: Recipe, name: str, settings: RejectConfig, policy: ArtifactRef, dataset: ArtifactRef
) -> Work:
    """Teaching data from a policy's lake, with general data mixed in."""
    inputs = {"policy": policy, "dataset": dataset}
    made_from = {role: f"{ref.kind}/{ref.fingerprint}" for role, ref in inputs.items()}
    return Work(
        name, "select", recipe, {"reject": settings.model_dump(mode="json")}, inputs, notes={"made_from": made_from}
    )
