"""One reward over a batch. What it must not do is refused here, with its name: silence would train on it."""

import logging
import math
from collections.abc import Sequence

from r1flow.components.core.errors import ConfigError
from r1flow.components.rewards.base import Reward, RewardBatch

logger = logging.getLogger(__name__)


def compute(name: str, reward: Reward, batch: RewardBatch) -> list[float | None]:
    """The reward of every completion, as floats.

    ConfigError that names the reward where it raises, returns more or fewer values than there are completions, or one
    that is not a finite number; then also the completion.
    """
    try:
        values: Sequence[object] = list(reward(batch))
    except Exception as error:  # a function of anybody's may raise anything; its traceback goes to the log
        logger.exception("the reward %s failed", name)
        raise ConfigError(f"the reward {name} raised {type(error).__name__}: {error}") from error
    if len(values) != len(batch.texts):
        raise ConfigError(f"the reward {name} returned {len(values)} values for {len(batch.texts)} completions")
    return [_number(name, batch, index, value) for index, value in enumerate(values)]


def _number(name: str, batch: RewardBatch, index: int, value: object) -> float | None:
    if value is None:
        return None
    try:
        finite = math.isfinite(value)  # type: ignore[arg-type]  # also numbers of numpy and torch; no text
    except (TypeError, OverflowError):
        finite = False
    if not finite:
        row = f", an answer to row {batch.rows[index].id}" if batch.rows else ""
        raise ConfigError(
            f"the reward {name} gave {value!r:.80} to completion {index}{row}; "
            "it must be a finite number, or None for what is not scored"
        )
    return float(value)  # type: ignore[arg-type]
