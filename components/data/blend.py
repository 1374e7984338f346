"""Several sets of demonstrations as one: all rows of each in order, or so many rows, or a share, of each, shuffled."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random

from r1flow.components.core.artifacts import Dataset
from r1flow.components.core.errors import DataError
from r1flow.components.core.schema import Row
from r1flow.components.core.seeds import derive_seed
from r1flow.components.data.files import load_rows
from r1flow.components.recipe.stages import Amount


def sft_rows(
    data: str | Sequence[str] | Mapping[str, Amount], inputs: Mapping[str, Path], seed: int, owner: str
) -> list[Row]:
    """The rows that ``data`` asks for, by the roles of ``inputs``. DataError where a set has fewer than are asked for."""
    if isinstance(data, str):
        return load_rows(Dataset(inputs[data]).sft)
    if not isinstance(data, Mapping):
        return [row for role in data for row in load_rows(Dataset(inputs[role]).sft)]
    sets = {role: load_rows(Dataset(inputs[role]).sft) for role in data}
    counts = amounts(data, {role: len(rows) for role, rows in sets.items()}, owner)
    drawn = [row for place, (role, rows) in enumerate(sets.items()) for row in draw(rows, counts[role], seed, place)]
    return shuffled(drawn, seed)


def amounts(data: Mapping[str, Amount], available: Mapping[str, int], owner: str, beside: int = 0) -> dict[str, int]:
    """Rows to take of each set. With ``beside`` rows that are there already, a share is one of all of them together.

    Shares alone make the largest mixture without a repeated row; they may sum to less than 1 only where rows are given too.

    >>> amounts({"a": Amount(share=0.25)}, {"a": 99}, "x", beside=30), amounts({"a": Amount(rows=7)}, {"a": 9}, "x")
    ({'a': 10}, {'a': 7})
    >>> amounts({"a": Amount(share=0.75), "b": Amount(share=0.25)}, {"a": 90, "b": 50}, "x")
    {'a': 90, 'b': 30}
    """
    shares = {role: amount.share for role, amount in data.items() if amount.share is not None}
    fixed = beside + sum(amount.rows or 0 for amount in data.values())
    if fixed:
        rest = 1 - sum(shares.values())
        if rest <= 0:
            raise DataError(
                f"{owner}: the shares leave nothing for the rows that are given as a number; lower one of them"
            )
        whole = fixed / rest
    else:
        whole = min((available[role] / share for role, share in shares.items()), default=0.0)
    found = {
        role: amount.rows if amount.rows is not None else round(whole * (amount.share or 0))
        for role, amount in data.items()
    }
    for role, wanted in found.items():
        if wanted > available[role]:
            raise DataError(
                f"{owner}.{role}: {wanted:,} rows are asked for, and there are {available[role]:,}; ask for less"
            )
    return found


def draw(rows: Sequence[Row], num: int, seed: int, place: int) -> list[Row]:
    """``num`` of ``rows``, drawn by the seed and the set's place in the mixture."""
    purpose = ("general",) if place == 0 else ("general", place)
    return Random(derive_seed(seed, *purpose)).sample(list(rows), num)


def shuffled(rows: Sequence[Row], seed: int) -> list[Row]:
    """``rows`` in an order that the seed decides."""
    mixed = list(rows)
    Random(derive_seed(seed, "mix")).shuffle(mixed)
    return mixed
