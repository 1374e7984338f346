"""Fields that name another part of a recipe: the graph is read from their annotations, and from nothing else."""

import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, StringConstraints

Gives = Literal["model", "problems", "demonstrations", "rollouts", "rates"]
"""What a part of a recipe can give to another: weights; rows with checkable answers; rows with completions; sampled and
scored completions; pass rates of problems."""
NAME = r"^[A-Za-z0-9_-]{1,64}$"
Name = Annotated[str, StringConstraints(pattern=NAME)]


@dataclass(frozen=True)
class Reference:
    """Marks a field as the name of a part that gives any of ``gives``. ``address``: an artifact's address will do too."""

    gives: tuple[Gives, ...]
    address: bool = False


SET = StringConstraints(min_length=1)
Model = Annotated[str, Reference(("model",)), SET]
Problems = Annotated[str, Reference(("problems",)), SET]
Demonstrations = Annotated[str, Reference(("demonstrations",)), SET]
Rollouts = Annotated[str, Reference(("rollouts",)), SET]
Rates = Annotated[str, Reference(("rates",), address=True)]


@dataclass(frozen=True)
class Named:
    """A reference that is set: ``field`` as it stands in TOML, the name in it, and what the field takes."""

    field: str
    name: str
    reference: Reference


def named_in(settings: BaseModel) -> Iterator[Named]:
    """Every reference in ``settings``, in the order of the fields; empty ones are left out."""
    for name, value, annotation, reference in _fields(settings):
        yield from _walk(name, value, annotation, reference)


def due(settings: type[BaseModel], field: str) -> tuple[Gives, ...]:
    """What a part has to give that ``field`` may name; nothing where it names none."""
    for name, info in settings.model_fields.items():
        if field in (name, info.alias):
            marks = [mark for mark in (*info.metadata, *_marks(info.annotation)) if isinstance(mark, Reference)]
            return tuple(dict.fromkeys(given for mark in marks for given in mark.gives))
    return ()


def with_roles(settings: BaseModel, **dump: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """``settings`` as plain data with every reference replaced by its role, and the names by role.

    The role is the field, numbered where a field holds several: names are a person's choice and decide no result, so a
    fingerprint must not see them.

    >>> from pydantic import BaseModel
    >>> class Mixed(BaseModel):
    ...     model: Model
    ...     data: dict[Demonstrations, int]
    >>> with_roles(Mixed(model="base", data={"mine": 2, "more": 1}))
    ({'model': 'model', 'data': {'data.0': 2, 'data.1': 1}}, {'model': 'base', 'data.0': 'mine', 'data.1': 'more'})
    """
    config = settings.model_dump(mode="json", **dump)
    roles: dict[str, str] = {}
    for name, value, annotation, reference in _fields(settings):
        if name in config:
            config[name] = _replaced(name, value, config[name], annotation, reference, roles)
    return config, roles


def _fields(settings: BaseModel) -> Iterator[tuple[str, Any, Any, Reference | None]]:
    for name, field in type(settings).model_fields.items():
        marks = [mark for mark in field.metadata if isinstance(mark, Reference)]
        yield field.alias or name, getattr(settings, name), field.annotation, marks[0] if marks else None


def _marks(annotation: Any) -> Iterator[Any]:
    """Whatever stands in an annotation, at any depth."""
    for inside in get_args(annotation):
        yield inside
        yield from _marks(inside)


def _walk(field: str, value: Any, annotation: Any, reference: Reference | None) -> Iterator[Named]:
    reference, annotation = _opened(annotation, reference, value)
    if isinstance(value, str):
        if reference is not None and value:
            yield Named(field, value, reference)
    elif isinstance(value, BaseModel):
        for name, inner, inside, mark in _fields(value):
            yield from _walk(f"{field}.{name}", inner, inside, mark)
    elif isinstance(value, Mapping):
        key, below = get_args(annotation) or (None, None)
        for name, inner in value.items():
            yield from _walk(field, name, key, reference)
            yield from _walk(f"{field}.{name}", inner, below, None)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _walk(field, inner, _element(annotation), reference)


def _replaced(
    field: str, value: Any, plain: Any, annotation: Any, reference: Reference | None, roles: dict[str, str]
) -> Any:
    """``plain`` (the dump of ``value``) with roles in place of names; ``roles`` grows."""
    reference, annotation = _opened(annotation, reference, value)
    if isinstance(value, str):
        if reference is None or not value:
            return plain
        roles[field] = value
        return field
    if isinstance(value, BaseModel):
        return plain | {
            name: _replaced(f"{field}.{name}", inner, plain[name], inside, mark, roles)
            for name, inner, inside, mark in _fields(value)
            if name in plain
        }
    if isinstance(value, Mapping):
        key, below = get_args(annotation) or (None, None)
        marked = _opened(key, None, "")[0] or reference
        out = {}
        for number, (name, inner) in enumerate(value.items()):
            role = f"{field}.{number}" if marked else f"{field}.{name}"
            if marked:
                roles[role] = name
            value_role = f"{role}.value" if marked and isinstance(inner, str) else role  # the key has its role already
            out[role if marked else name] = _replaced(value_role, inner, plain[name], below, None, roles)
        return out
    if isinstance(value, list | tuple):
        return [
            _replaced(f"{field}.{number}", inner, plain[number], _element(annotation), reference, roles)
            for number, inner in enumerate(value)
        ]
    return plain


def _opened(annotation: Any, reference: Reference | None, value: Any) -> tuple[Reference | None, Any]:
    """The mark of an annotation and what it is about: ``Annotated`` taken off, of a union the choice that ``value`` is."""
    while True:
        if get_origin(annotation) is Annotated:
            inner, *marks = get_args(annotation)
            reference = next((mark for mark in marks if isinstance(mark, Reference)), reference)
            annotation = inner
        elif get_origin(annotation) in (Union, types.UnionType):
            chosen = [choice for choice in get_args(annotation) if _fits(choice, value)]
            if not chosen:
                return reference, annotation
            marks = [mark for choice in chosen if (mark := _opened(choice, None, value)[0])]
            if len(marks) > 1:  # a name that may be of several kinds of parts
                gives = dict.fromkeys(given for mark in marks for given in mark.gives)
                return Reference(tuple(gives), any(mark.address for mark in marks)), str
            annotation = chosen[0]
        else:
            return reference, annotation


def _fits(choice: Any, value: Any) -> bool:
    while get_origin(choice) is Annotated:
        choice = get_args(choice)[0]
    kind = get_origin(choice) or choice
    return kind is Any or (isinstance(kind, type) and isinstance(value, kind))


def _element(annotation: Any) -> Any:
    """What a list or a tuple holds."""
    inside = get_args(annotation)
    return inside[0] if inside else None
