"""What a proof found out, line by line."""

from typing import NamedTuple


class Finding(NamedTuple):
    """One line of a proof's table: what was looked at, whether it is as it must be, and what was seen."""

    what: str
    holds: bool
    detail: str
