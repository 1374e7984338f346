"""Settings over settings: a recipe over its preset, a suite over the file of a known one."""

from collections.abc import Sequence
from typing import Any

WHOLE = ("mixture", "data", "mix")
"""Tables of shares and amounts in a stage: half of one and half of another would be a third that nobody wants."""
PARTS = ("models", "datasets", "stages", "suites", "promote")
"""Tables of a recipe whose entries are named by a person: ``false`` takes an inherited one out."""
USUAL = {"datasets": "problems"}
"""The kind of an entry that does not say it."""


def merge(below: dict[str, Any], above: dict[str, Any], path: Sequence[str] = ()) -> dict[str, Any]:
    """``above`` over ``below``, table by table.

    Lists and the tables in WHOLE are replaced; ``NAME = false`` in one of PARTS removes NAME; a stage or dataset of another
    ``kind`` is replaced as one.

    >>> merge({"stages": {"a": {"kind": "sft", "epochs": 2}, "b": {}}}, {"stages": {"a": {"epochs": 3}, "b": False}})
    {'stages': {'a': {'kind': 'sft', 'epochs': 3}}}
    """
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        if value is False and len(path) == 1 and path[0] in PARTS:
            merged.pop(key, None)
        elif isinstance(old, dict) and isinstance(value, dict) and _go_together(old, value, (*path, key)):
            merged[key] = merge(old, value, (*path, key))
        else:
            merged[key] = value
    return merged


def _go_together(old: dict[str, Any], new: dict[str, Any], path: Sequence[str]) -> bool:
    """Whether the table at ``path`` is one of settings, to be filled, or one that is replaced."""
    if len(path) == 2 and path[0] in ("stages", "datasets"):
        return "kind" not in new or new["kind"] == old.get("kind", USUAL.get(path[0], new["kind"]))
    return not (len(path) == 3 and path[0] == "stages" and path[2] in WHOLE)
