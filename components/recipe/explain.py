"""What is wrong with a recipe, in words: a line per field, with its place in the recipe and the fix."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from r1flow.components.recipe.kinds import gives_of, settings_of
from r1flow.components.recipe.references import due
from r1flow.components.recipe.run import PromoteConfig
from r1flow.components.recipe.stages import Stage


def explain(error: ValidationError, data: Mapping[str, Any]) -> str:
    """One line per wrong field of ``data``, the plain recipe that was refused."""
    from r1flow.components.recipe.recipe import Recipe

    return "\n".join(dict.fromkeys(_line(Recipe, dict(item), data) for item in error.errors(include_url=False)))


def _line(root: type[BaseModel], item: dict[str, Any], data: Mapping[str, Any]) -> str:
    loc = [part for part in item["loc"] if not str(part).startswith("<")]  # the tag of a union's choice is no setting
    loc = [part for part in loc if str(part) != "[key]"]
    path = ".".join(str(part) for part in loc)
    if item["type"] == "extra_forbidden":
        known = _fields_at(root, loc[:-1], data)
        close = difflib.get_close_matches(str(loc[-1]), known, n=1)
        fix = f"did you mean {close[0]}?" if close else f"known here: {', '.join(known)}"
        return f"{path}: unknown setting; {fix}"
    if item["type"] == "missing" and (wanted := _due(loc, data)):
        right = [name for name, given in _givers(data).items() if set(given) & set(wanted) and name not in loc[:-1]]
        there = f"there are {', '.join(right)}" if right else f"this recipe has no {' or '.join(wanted)}"
        return f"{path}: field required; {there}"
    given = item.get("input")
    shown = f" (got {given!r})" if isinstance(given, str | int | float | bool) else ""
    message = item["msg"].removeprefix("Value error, ")
    if not path:  # the graph's messages begin with a field
        return message
    return f"{path}: {message[0].lower() + message[1:]}{shown}"


def _fields_at(root: type[BaseModel], loc: Sequence[Any], data: Mapping[str, Any]) -> list[str]:
    """Names of the settings that exist below ``loc``."""
    if len(loc) >= 2 and loc[0] == "stages" and (kind := _class_of(data["stages"][loc[1]])):
        root, loc = kind, loc[2:]  # a stage's fields are those of its kind
    schema = root.model_json_schema()
    nodes = [schema]
    for part in loc:
        nodes = [below for node in nodes for below in _below(schema, node, str(part))]
    return sorted({name for node in nodes for name in node.get("properties", {})})


def _class_of(stage: Any) -> type[Stage] | None:
    """The settings' class of a stage as it is written; None where its kind cannot be had."""
    try:
        return settings_of(str(stage["kind"]))
    except (KeyError, TypeError, ValueError):
        return None


def _due(loc: Sequence[Any], data: Mapping[str, Any]) -> tuple[str, ...]:
    """What a part has to give that the field at ``loc`` may name; nothing where it names none."""
    if len(loc) != 3 or loc[0] not in ("stages", "promote"):
        return ()
    kind = PromoteConfig if loc[0] == "promote" else _class_of(data["stages"][loc[1]])
    return due(kind, str(loc[2])) if kind else ()


def _givers(data: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """What the parts of a recipe give, as far as can be told from how it is written."""
    found: dict[str, tuple[str, ...]] = {name: ("model",) for name in _table(data, "models")}
    for name, dataset in _table(data, "datasets").items():
        found[name] = (str(dataset.get("kind", "problems")),) if isinstance(dataset, Mapping) else ()
    for name, stage in _table(data, "stages").items():
        kind = _class_of(stage)
        found[name] = gives_of(kind) if kind else ()
    return found


def _table(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    table = data.get(name)
    return table if isinstance(table, Mapping) else {}


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
