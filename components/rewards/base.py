"""What a verifier returns, what every reward sees, and the one signature of a reward."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING

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


@dataclass(frozen=True)
class Shaping:
    """The parameters of the shaping rewards; the settings of the same names say what they mean."""

    overlong_share: float = 0.2
    ngram: int = 3


@dataclass(frozen=True)
class RewardBatch:
    """Completions and what is known about them, all of equal length and in the same order.

    ``rows[i]`` is the problem that ``texts[i]`` answers, ``lengths[i]`` its tokens, ``verdicts[i]`` what its verifier
    found (None: the row's own answer is unusable); completions with the same number in ``groups`` answer one prompt.
    ``max_tokens`` is the longest completion that was allowed; ``prefilled``: the prompt already ended with ``<think>``.

    In training everything is there. In a test a sequence that the reward does not read may be left empty; ValueError for
    one that is neither empty nor as long as ``texts``.
    """

    texts: Sequence[str]
    _: KW_ONLY
    rows: Sequence[Row] = ()
    lengths: Sequence[int] = ()
    groups: Sequence[int] = ()
    verdicts: Sequence[Verdict | None] = ()
    max_tokens: int = 1
    prefilled: bool = False
    shaping: Shaping = Shaping()

    def __post_init__(self) -> None:
        for name, num in (
            ("rows", len(self.rows)),
            ("lengths", len(self.lengths)),
            ("groups", len(self.groups)),
            ("verdicts", len(self.verdicts)),
        ):
            if num not in (0, len(self.texts)):
                raise ValueError(f"{len(self.texts)} completions for {num} {name}")

    @property
    def correct(self) -> list[bool]:
        """Which completions are right."""
        return [verdict is Verdict.CORRECT for verdict in self.verdicts]

    def members(self) -> list[list[int]]:
        """The indices of every group's completions, groups in the order of their first."""
        found: dict[int, list[int]] = {}
        for index, group in enumerate(self.groups):
            found.setdefault(group, []).append(index)
        return list(found.values())


Reward = Callable[[RewardBatch], Sequence[float | None]]
"""One finite number for every completion of a batch, in its order; None means not scored, masked out."""
