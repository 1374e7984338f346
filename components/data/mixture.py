"""How many rows of each source a mixture holds, and which. No row is taken twice; which ones, the seed decides.

A row is chosen by a hash of seed and id, so the choice depends neither on the order of rows nor on who makes it.
"""

import hashlib
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

from r1flow.components.recipe.data import SourceConfig


def quotas(available: Mapping[str, int], sources: Mapping[str, SourceConfig]) -> dict[str, int]:
    """Rows to take of every source: at most its ``rows``, and with weights as many as keep the shares.

    ``take_i = round(weight_i * min_j(available_j / weight_j))``: the largest mixture without a repeated row. A source
    without rows left is no part of it.

    >>> two = {"a": SourceConfig(weight=3.0), "b": SourceConfig(weight=1.0)}
    >>> quotas({"a": 90, "b": 50}, two)
    {'a': 90, 'b': 30}
    """
    limits = {name: min(num, sources[name].rows or num) for name, num in available.items() if name in sources}
    weights = {name: sources[name].weight for name in limits}
    scales = [limits[name] / weight for name, weight in weights.items() if weight is not None and limits[name]]
    if not scales:
        return limits
    scale = min(scales)
    return {name: min(limits[name], round(scale * (weight or 0))) for name, weight in weights.items()}


def chooser(
    ids: Iterable[tuple[str, str]], sources: Mapping[str, SourceConfig], seed: int
) -> Callable[[str, str], bool]:
    """From (source, id) of all rows, whether one is in the mixture. Keeps 8 bytes a row of what a quota cuts."""
    places: defaultdict[str, array[int]] = defaultdict(lambda: array("Q"))
    for source, row_id in ids:
        places[source].append(_place(seed, row_id))
    wanted = quotas({name: len(found) for name, found in places.items()}, sources)
    bounds = {
        name: sorted(found)[wanted[name] - 1] if wanted[name] else -1
        for name, found in places.items()
        if name in wanted and wanted[name] < len(found)
    }
    return lambda source, row_id: source not in bounds or _place(seed, row_id) <= bounds[source]


def _place(seed: int, row_id: str) -> int:
    return int.from_bytes(hashlib.blake2b(f"{seed}:{row_id}".encode(), digest_size=8).digest(), "big")
