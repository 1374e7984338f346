"""What every reward returns, and the shape of a reward."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from components.data.schema import Row


class Verdict(StrEnum):
    """What a verifier found. Only INFRA says nothing about the answer; the others all earn a number."""

    CORRECT = "CORRECT"
    WRONG = "WRONG"
    UNPARSEABLE = "UNPARSEABLE"
    TIMEOUT = "TIMEOUT"
    MEMORY = "MEMORY"
    INFRA = "INFRA"


@dataclass(frozen=True)
class Score:
    """A reward and its verdict. ``Score(None, None)``: the row's own answer cannot be used, so nothing was scored."""

    reward: float | None
    verdict: Verdict | None

    @classmethod
    def of(cls, verdict: Verdict) -> "Score":
        """CORRECT earns 1, INFRA nothing at all (None), every other verdict 0."""
        return cls(None if verdict is Verdict.INFRA else float(verdict is Verdict.CORRECT), verdict)


class Reward(Protocol):
    """Completions and the rows they answer, side by side, to one number each; None means not scored, masked out."""

    def __call__(self, completions: Sequence[str], examples: Sequence[Row]) -> list[float | None]: ...
