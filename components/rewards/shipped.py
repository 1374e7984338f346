"""The shaping rewards that r1flow ships, each registered under the name of its function.

The formulas are in :mod:`shaping` and :mod:`tags`. Accuracy, format and language need settings of their own and are
measured in any case: :mod:`score`.
"""

import difflib
from collections.abc import Iterable

from r1flow.components.core.errors import ConfigError
from r1flow.components.rewards import shaping
from r1flow.components.rewards.base import Reward, RewardBatch
from r1flow.components.rewards.tags import tag_count

MEASURED = ("accuracy", "format", "language")
SHIPPED: dict[str, Reward] = {}
"""In the order in which a total adds them up, which decides its last bit: a new one goes to the end."""


def shipped(reward: Reward) -> Reward:
    """Register a function of a batch: a recipe may give it a weight under its name."""
    SHIPPED[reward.__name__] = reward
    return reward


@shipped
def tags(batch: RewardBatch) -> list[float]:
    """A quarter for each of the four tags: partial credit while the format is rare."""
    return [tag_count(text, batch.prefilled) for text in batch.texts]


@shipped
def overlong(batch: RewardBatch) -> list[float]:
    """DAPO's soft punishment of the last stretch before ``max_tokens``, 0 to -1."""
    stretch = max(1, round(batch.max_tokens * batch.shaping.overlong_share))
    return [shaping.soft_overlong(length, batch.max_tokens, stretch) for length in batch.lengths]


@shipped
def cosine_length(batch: RewardBatch) -> list[float]:
    """Short correct answers earn more, short wrong ones less."""
    pairs = zip(batch.correct, batch.lengths, strict=True)
    return [shaping.cosine_length(correct, length, batch.max_tokens) for correct, length in pairs]


@shipped
def repetition(batch: RewardBatch) -> list[float]:
    """0 to -1 by the share of repeated n-grams."""
    return [shaping.repetition_penalty(text, batch.shaping.ngram) for text in batch.texts]


@shipped
def group_length(batch: RewardBatch) -> list[float]:
    """Kimi's length reward within a group, 0.5 to -0.5."""
    correct, earned = batch.correct, [0.0] * len(batch.texts)
    for members in batch.members():
        shares = shaping.group_length([correct[i] for i in members], [batch.lengths[i] for i in members])
        for index, share in zip(members, shares, strict=True):
            earned[index] = share
    return earned


def check_names(names: Iterable[str], *, own: Iterable[str] = (), setting: str = "rewards") -> None:
    """ConfigError for a name, said to stand in ``setting``, that is no reward of r1flow's and none of ``own``."""
    known = [*MEASURED, *SHIPPED, *own]
    for name in names:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = (
                f"did you mean {close[0]}?"
                if close
                else f"there are {', '.join(known)}, or your own as 'module:function'"
            )
            raise ConfigError(f"{setting}.{name}: no reward is called '{name}'; {hint}")
