"""What every reward returns, and the shape of a reward."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from r1flow.components.core.verdict import Verdict

if TYPE_CHECKING:
    from r1flow.components.core.schema import Row


@dataclass(frozen=True)
class Score:
    """A reward and its verdict. ``Score(None, None)``: the row's own answer or tests cannot be used; nothing was scored.

    ``extracted`` is the answer that was judged, ``detail`` a short reason for people; neither enters a reward.
    """

    reward: float | None
    verdict: Verdict | None
    extracted: str | None = None
    detail: str | None = None

    @classmethod
    def of(cls, verdict: Verdict, *, extracted: str | None = None, detail: str | None = None) -> Score:
        """CORRECT earns 1, INFRA nothing at all (None), every other verdict 0."""
        reward = None if verdict is Verdict.INFRA else float(verdict is Verdict.CORRECT)
        return cls(reward, verdict, extracted, detail)

    @classmethod
    def unusable(cls, detail: str) -> Score:
        """Nothing can be scored against this row, whatever the completion: its gold or its tests are broken."""
        return cls(None, None, None, detail)


class Reward(Protocol):
    """Completions and the rows they answer, side by side, to one number each; None means not scored, masked out."""

    def __call__(self, completions: Sequence[str], examples: Sequence[Row]) -> list[float | None]: ...
