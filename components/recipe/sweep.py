"""A sweep: the product of several values for several settings of one recipe."""

import itertools
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from r1flow.components.core.errors import ConfigError

Axes = Mapping[str, Sequence[Any]]
"""Dotted settings with the values that each is to have."""


def points(axes: Axes) -> list[dict[str, Any]]:
    """Every combination, the last setting running fastest.

    >>> points({"seed": [0, 1], "dev.epochs": [2]})
    [{'seed': 0, 'dev.epochs': 2}, {'seed': 1, 'dev.epochs': 2}]
    """
    return [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]


def axes_of(texts: Iterable[str]) -> dict[str, list[Any]]:
    """From ``name.field=[1, 2]``, as the command line takes it. ConfigError for anything that is no list of values.

    >>> axes_of(["seed=[0, 1]", "dev.learning_rate=[1e-6, 3e-6]"])
    {'seed': [0, 1], 'dev.learning_rate': [1e-06, 3e-06]}
    """
    found: dict[str, list[Any]] = {}
    for text in texts:
        key, _, values = text.partition("=")
        try:
            read = tomllib.loads(f"values = {values}")["values"]
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"--sweep {text!r}: write it as name.field=[VALUE, VALUE]: {error}") from error
        if not key.strip() or not isinstance(read, list) or not read:
            raise ConfigError(f"--sweep {text!r}: write it as name.field=[VALUE, VALUE]")
        found[key.strip()] = read
    return found


def label(point: Mapping[str, Any]) -> str:
    """How tables call a point.

    >>> label({"seed": 1, "dev.learning_rate": 3e-06})
    'seed 1, dev.learning_rate 3e-06'
    """
    return ", ".join(f"{key} {value}" for key, value in point.items())
