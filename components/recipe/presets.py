"""Presets, overrides, and error messages that name the field and the mend."""

import difflib
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from r1flow.components.core.errors import ConfigError
from r1flow.components.recipe.recipe import Recipe, preset_names, preset_path


def load_recipe(name: str, overrides: Iterable[str] = ()) -> Recipe:
    """The recipe of a preset, or of a TOML file, with ``key.path=value`` overrides. ConfigError names what is wrong."""
    path = Path(name) if name.endswith(".toml") else preset_path(name)
    if not path.is_file():
        close = difflib.get_close_matches(name, preset_names(), n=1)
        hint = f"; did you mean {close[0]}?" if close else f"; there are {', '.join(preset_names())}"
        raise ConfigError(f"no preset {name!r}{hint}")
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # also bytes that are no text, and endless nesting
        raise ConfigError(f"{path}: not valid TOML: {error}") from error
    for override in overrides:
        _apply(data, override)
    return make_recipe(data)


def make_recipe(data: Mapping[str, Any]) -> Recipe:
    """A recipe from plain data; ConfigError with one line per wrong field."""
    try:
        return Recipe.model_validate(data)
    except ValidationError as error:
        lines = [_explain(Recipe, dict(item)) for item in error.errors(include_url=False)]
        raise ConfigError("\n".join(dict.fromkeys(lines))) from error


def split_settings(overrides: Iterable[str], fields: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """``--set store=...`` is about this machine, not about the recipe: settings apart from recipe overrides."""
    settings, recipe = {}, []
    for override in overrides:
        key, _, value = override.partition("=")
        if key in fields:
            settings[key] = value
        else:
            recipe.append(override)
    return settings, recipe


def _apply(data: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"--set {override!r}: write it as section.field=value, such as --set distill.epochs=3")
    *sections, field = _path(key.strip())
    place = data
    for section in sections:
        place = place.setdefault(section, {})
        if not isinstance(place, dict):
            raise ConfigError(f"--set {key}: {section} is a value, not a section")
    place[field] = _value(text.strip())


def _path(key: str) -> list[str]:
    """``a.b.c`` in parts; the name of a custom reward, ``a.rewards.pkg.module:function``, keeps its own dots."""
    above, marker, custom = key.partition(".rewards.")
    return [*above.split("."), "rewards", custom] if marker and ":" in custom else key.split(".")


def _value(text: str) -> Any:
    """A TOML literal where it is one (numbers, booleans, lists, quoted text), else the text itself."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):  # also numbers of more digits than Python reads, and endless nesting
        return text


def _explain(root: type[BaseModel], item: dict[str, Any]) -> str:
    loc = [part for part in item["loc"] if not str(part).startswith("<")]  # the tag of a union's choice is no setting
    path = ".".join(str(part) for part in loc)
    if item["type"] == "extra_forbidden":
        known = _fields_at(root, loc[:-1])
        close = difflib.get_close_matches(str(loc[-1]), known, n=1)
        mend = f"did you mean {close[0]}?" if close else f"known here: {', '.join(known)}"
        return f"{path}: unknown setting; {mend}"
    given = item.get("input")
    shown = f" (got {given!r})" if isinstance(given, str | int | float | bool) else ""
    message = item["msg"].removeprefix("Value error, ")
    return f"{path or 'recipe'}: {message[0].lower() + message[1:]}{shown}"


def _fields_at(model: type[BaseModel], loc: Sequence[Any]) -> list[str]:
    """Names of the settings that exist below ``loc``."""
    schema = model.model_json_schema()
    nodes = [schema]
    for part in loc:
        nodes = [below for node in nodes for below in _below(schema, node, str(part))]
    return sorted({name for node in nodes for name in node.get("properties", {})})


def _below(schema: dict[str, Any], node: dict[str, Any], part: str) -> list[dict[str, Any]]:
    """What may stand under the key ``part``, every choice of a union by itself."""
    keyed = [*node.get("patternProperties", {}).values(), node.get("additionalProperties")]
    found = (
        [node["properties"][part]] if part in node.get("properties", {}) else [k for k in keyed if isinstance(k, dict)]
    )
    return [choice for below in found for choice in _choices(schema, below)]


def _choices(schema: dict[str, Any], node: dict[str, Any]) -> list[dict[str, Any]]:
    if "$ref" in node:
        return [schema["$defs"][node["$ref"].rsplit("/", 1)[1]]]
    options = [*node.get("anyOf", []), *node.get("oneOf", [])]
    return [choice for option in options for choice in _choices(schema, option)] or [node]
