"""The name of what a stage computes: one digest of its code version, config, inputs and seed.

Times, hosts, paths and library versions are provenance and never enter it.
"""

import hashlib
import json
import math
import re
from collections.abc import Mapping
from typing import Any

from r1flow.components.core.errors import ConfigError

MAX_DEPTH = 64
_HEX64 = re.compile(r"[0-9a-f]{64}")


def canonical_json(value: object, name: str = "value") -> str:
    """The one JSON text of ``value``: keys sorted, no blanks, ASCII, floats in their shortest exact form.

    Tuples and lists are the same; ``1``, ``1.0`` and ``true`` are three different values. ``name`` is what error
    messages call the root. Raises ConfigError naming the path of whatever has no stable identity: NaN, infinities,
    sets, bytes, callables, objects, keys that are not strings, integers over 1024 bits, nesting over 64 levels.

    >>> canonical_json({"b": (1, 2.0), "a": None})
    '{"a":null,"b":[1,2.0]}'
    """
    _check(value, name, 0)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def fingerprint(*, kind: str, version: str, config: Any, inputs: Mapping[str, str], seed: int) -> str:
    """sha256, in hex, of the canonical JSON of the five; ``inputs`` maps a name to its artifact's fingerprint."""
    for name, digest in inputs.items():
        if not isinstance(digest, str) or not _HEX64.fullmatch(digest):
            raise ConfigError(f"inputs.{name} is {digest!r}, not an artifact's fingerprint (64 hex digits)")
    body = {"kind": kind, "version": version, "config": config, "inputs": dict(inputs), "seed": seed}
    return hashlib.sha256(canonical_json(body, "stage").encode()).hexdigest()


def _check(value: object, name: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise ConfigError(f"{name[:80]}... is nested more than {MAX_DEPTH} levels deep, or contains itself")
    if value is None or isinstance(value, bool | str):
        return
    if isinstance(value, int):
        if value.bit_length() > 1024:
            raise ConfigError(f"{name} is an integer of {value.bit_length()} bits; at most 1024 are accepted")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise ConfigError(f"{name} is {value}; give a finite number or null")
    elif isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise ConfigError(f"{name} has the key {key!r}; keys must be strings")
            _check(item, f"{name}.{key}", depth + 1)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            _check(item, f"{name}[{index}]", depth + 1)
    else:
        raise ConfigError(
            f"{name} is a {type(value).__name__}, which has no stable identity; "
            "give a string, number, boolean, null, list or dict of these"
        )
