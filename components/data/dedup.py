"""Exact duplicates after normalisation. Near-duplicates are not this file's business."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from components.data.schema import Row

_SPACE = re.compile(r"\s+")


@dataclass(frozen=True)
class Duplicate:
    """A dropped row and the earlier row that says the same."""

    id: str
    duplicate_of: str


def normalise(text: str) -> str:
    """NFKC, casefold, whitespace collapsed: what two texts must share to count as the same.

    >>> normalise("  What IS\\n1 + 1? ")
    'what is 1 + 1?'
    """
    return _SPACE.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip()


def drop_duplicates(rows: Sequence[Row]) -> tuple[list[Row], list[Duplicate]]:
    """The first row of every (prompt, completion), and the others, each naming the row it repeats.

    The completion counts because a teaching set holds several chains for one prompt.
    """
    first: dict[tuple[str, str | None], str] = {}
    kept: list[Row] = []
    dropped: list[Duplicate] = []
    for row in rows:
        key = (normalise(row.prompt), None if row.completion is None else normalise(row.completion))
        if key in first:
            dropped.append(Duplicate(row.id, first[key]))
            continue
        first[key] = row.id
        kept.append(row)
    return kept, dropped
