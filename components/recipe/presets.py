"""Recipes from presets and files, with overrides; error messages that name the field and the fix."""

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from r1flow.components.core.errors import ConfigError
from r1flow.components.recipe.explain import explain
from r1flow.components.recipe.merging import PARTS, merge
from r1flow.components.recipe.recipe import Recipe
from r1flow.components.recipe.renamed import refuse_old_names

PRESETS = Path(__file__).parent / "presets"
NAMED = ("models", "datasets", "stages")
"""Tables whose names are one namespace, so that a name alone says which table it stands in."""


def preset_names() -> list[str]:
    """The presets there are."""
    return sorted(path.stem for path in PRESETS.glob("*.toml"))


def load_recipe(name: str, overrides: Iterable[str] = ()) -> Recipe:
    """The recipe of a preset, or of a TOML file, with ``key.path=value`` overrides. ConfigError names what is wrong."""
    return make_recipe(read_recipe(name), parse_settings(overrides))


def parse_settings(overrides: Iterable[str]) -> list[tuple[str, Any]]:
    """``key.path=value`` as pairs; a value is TOML's where it is one, else a text. ConfigError for one without ``=``."""
    return [_setting(override) for override in overrides]


def read_recipe(name: str) -> dict[str, Any]:
    """The settings of a preset or a recipe file, as they are written."""
    path = Path(name) if name.endswith(".toml") else PRESETS / f"{name}.toml"
    if not path.is_file():
        close = difflib.get_close_matches(name, preset_names(), n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(preset_names())}"
        raise ConfigError(f"no preset {name!r}; {hint}")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # also bytes that are no text, and endless nesting
        raise ConfigError(f"{path}: not valid TOML: {error}") from error


def make_recipe(data: Mapping[str, Any], settings: Iterable[tuple[str, Any]] = ()) -> Recipe:
    """A recipe from plain data over its preset, with dotted settings on top; ConfigError with one line per wrong field."""
    refuse_old_names(data)
    whole = _filled(data)
    for key, value in settings:
        _set(whole, key, value)
    refuse_old_names(whole)
    try:
        return Recipe.model_validate(whole)
    except ValidationError as error:
        raise ConfigError(explain(error, whole)) from error


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


def _filled(data: Mapping[str, Any]) -> dict[str, Any]:
    """``data`` over its preset, over that one's preset, and so on."""
    name, whole, seen = data.get("preset"), dict(data), list[str]()
    while name:
        if name in seen:
            raise ConfigError(f"preset: {' -> '.join([*seen, str(name)])} is a cycle; a preset cannot fill itself")
        seen.append(str(name))
        below = read_recipe(str(name))
        name = below.get("preset")
        whole = merge(below, whole)
    return whole


def _setting(override: str) -> tuple[str, Any]:
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"--set {override!r}: write it as name.field=value, such as --set run.threads=2")
    return key.strip(), _value(text.strip())


def _set(data: dict[str, Any], key: str, value: Any) -> None:
    """Set ``key`` in ``data``, or take out a part that is set to false. A key that begins with the name of a model, a dataset or
    a stage needs no table before it."""
    parts = _path(key)
    table = next((table for table in NAMED if parts[0] in data.get(table, {})), None)
    *sections, last = [table, *parts] if table else parts
    place = data
    for section in sections:
        place = place.setdefault(section, {})
        if not isinstance(place, dict):
            raise ConfigError(f"--set {key}: {section} is a value, not a section")
    if value is False and len(sections) == 1 and sections[0] in PARTS:
        place.pop(last, None)
    else:
        place[last] = value


def _path(key: str) -> list[str]:
    """``a.b.c`` in parts. The name of one's own reward (``a.rewards.pkg.module:function``) and quoted parts keep their dots.

    >>> _path("a.rewards.pkg.module:f"), _path('promote."r1-1.5b".suite')
    (['a', 'rewards', 'pkg.module:f'], ['promote', 'r1-1.5b', 'suite'])
    """
    above, marker, own = key.partition(".rewards.")
    if marker and ":" in own:
        return [*_path(above), "rewards", own]
    pieces = key.split('"')
    return [
        part
        for place, piece in enumerate(pieces)
        for part in ([piece] if place % 2 else piece.strip(".").split("."))
        if part
    ] or [key]


def _value(text: str) -> Any:
    """A TOML literal where it is one (numbers, booleans, lists, quoted text), else the text itself."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):  # also numbers of more digits than Python reads, and endless nesting
        return text
