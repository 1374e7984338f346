"""What a flow is given, in a form or by a schedule or an event: a preset, settings over it, or a whole recipe."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from r1flow.components.core.errors import ConfigError
from r1flow.components.recipe.presets import make_recipe, preset_names
from r1flow.components.recipe.recipe import Recipe

Preset = Annotated[str, Field(description="A shipped recipe.", json_schema_extra={"enum": preset_names()})]
Settings = Annotated[
    dict[str, Any], Field(description='Settings over it, by dotted name: {"dev2.kl_weight": 0.001, "seed": 1}.')
]
Whole = Annotated[
    dict[str, Any], Field(description="A recipe of your own, as its TOML file reads; over the preset, if one is given.")
]


def recipe_from(preset: str | None, settings: Mapping[str, Any] | None, whole: Mapping[str, Any] | None) -> Recipe:
    """The recipe that a flow is to run. ConfigError where nothing names one."""
    if preset is None and not whole:
        raise ConfigError(f"preset: name one of {', '.join(preset_names())}, or give a recipe")
    data = {**(whole or {}), **({"preset": preset} if preset else {})}
    return make_recipe(data, (settings or {}).items())
