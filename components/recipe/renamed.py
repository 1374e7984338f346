"""Recipes of before 0.2: their sections are refused with the name that each has now (`renamed.toml`)."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from r1flow.components.core.errors import ConfigError


@cache
def _table() -> dict[str, str]:
    return dict(tomllib.loads((Path(__file__).parent / "renamed.toml").read_text(encoding="utf-8"))["now"])


def refuse_old_names(data: Mapping[str, Any]) -> None:
    """ConfigError with a line for every setting of ``data`` that has another name now."""
    lines = [f"{old}: {now}" for old, now in _table().items() if _stands(data, old.split("."))]
    if lines:
        raise ConfigError("\n".join(lines))


def _stands(data: Any, path: list[str]) -> bool:
    for part in path:
        if not isinstance(data, Mapping) or part not in data:
            return False
        data = data[part]
    return True
