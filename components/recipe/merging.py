"""Settings over settings: a recipe over its preset, a suite over the file of a known one."""

from typing import Any

WHOLE = ("mixture", "problems")


def merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """``above`` over ``below``, section by section; a table of shares or counts (WHOLE) is replaced as one."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = (
            merge(old, value) if key not in WHOLE and isinstance(old, dict) and isinstance(value, dict) else value
        )
    return merged
