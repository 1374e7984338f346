"""A model's safetensors: which files hold it, and whether their headers can be trusted.

safetensors itself refuses cut files, headers over 100 MB and offsets that overlap, leave holes or lead out of the file; here
its errors get the file's name, and what it lets pass is refused: a name twice, and an index that leads elsewhere.
"""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from r1flow.components.core.errors import ModelError

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
MAX_INDEX_BYTES = 64 << 20
"""A million tensors; the largest models have a tenth of that."""
NAMED = 5
"""Of a list of tensors so many are named."""


def stored_shapes(directory: Path) -> dict[str, tuple[int, ...]]:
    """The shapes of all tensors that a model directory stores, by name, from the headers alone.

    Raises :class:`ModelError` naming the file for a header or an index that is broken or made to deceive, for a shard that is
    missing and for a tensor that is stored twice or not where the index says.
    """
    index = _index(directory)
    found: dict[str, tuple[int, ...]] = {}
    for path in weight_files(directory):
        shapes = _header(path)
        if twice := found.keys() & shapes.keys():
            raise ModelError(f"{path}: {listed(twice)} stored in another shard too; save the model again")
        if astray := {name for name, file in index.items() if file == path.name} - shapes.keys():
            raise ModelError(f"{path}: {listed(astray)} not in this file, where {INDEX} says; fetch both again")
        found |= shapes
    return found


def weight_files(directory: Path) -> list[Path]:
    """The files that transformers reads: ``model.safetensors``, without one the shards that the index names."""
    if (directory / WEIGHTS).is_file():
        return [directory / WEIGHTS]
    if index := _index(directory):
        return [directory / name for name in sorted(set(index.values()))]
    others = sorted(path.name for path in directory.glob("*.safetensors"))
    raise ModelError(
        f"{directory}: neither {WEIGHTS} nor {INDEX}"
        + (f", only {listed(others)}; rename the file, or fetch the index with its shards" if others else "")
    )


def _index(directory: Path) -> dict[str, str]:
    """File by tensor; nothing where ``model.safetensors`` holds them all. Every file is one of the directory and there."""
    path = directory / INDEX
    if (directory / WEIGHTS).is_file() or not path.is_file():
        return {}
    if (size := path.stat().st_size) > MAX_INDEX_BYTES:
        raise ModelError(f"{path}: {size:,} bytes; an index has at most {MAX_INDEX_BYTES:,}")
    try:
        table = json.loads(path.read_bytes(), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path}: not a JSON object with each name once ({error}); fetch it again") from error
    files = table.get("weight_map") if isinstance(table, dict) and isinstance(table.get("metadata"), dict) else None
    if not isinstance(files, dict) or not files or not all(isinstance(name, str) for name in files.values()):
        raise ModelError(f"{path}: no objects metadata and weight_map, the latter with a file for each tensor")
    for name in sorted(set(files.values())):
        if os.path.basename(name) != name or "\\" in name or not name.endswith(".safetensors"):
            raise ModelError(f"{path}: {name[:200]!r} is no *.safetensors file of this directory")
        if not (directory / name).is_file():
            raise ModelError(f"{directory}: the shard {name}, which {INDEX} names, is missing; fetch it")
    return files


def _header(path: Path) -> dict[str, tuple[int, ...]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as tensors:
            shapes = {name: tuple(tensors.get_slice(name).get_shape()) for name in tensors.keys()}  # noqa: SIM118
        with path.open("rb") as file:
            json.loads(file.read(int.from_bytes(file.read(8), "little")), object_pairs_hook=_unique)
    except (SafetensorError, ValueError, RecursionError, OSError) as error:
        raise ModelError(f"{path}: {error}; fetch or save this file again") from error
    return shapes


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{listed({name for name in found if names.count(name) > 1})} named twice")
    return found


def listed(names: Iterable[str]) -> str:
    """
    >>> listed(["b", "a"]), listed(f"layer.{i}" for i in range(9))
    ('a, b', 'layer.0, layer.1, layer.2, layer.3, layer.4 and 4 more')
    """
    ordered = sorted(names)
    more = f" and {len(ordered) - NAMED} more" if len(ordered) > NAMED else ""
    return ", ".join(name[:200] for name in ordered[:NAMED]) + more
