"""What a reward may return, and what is refused in its name."""

import logging
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from r1flow.components.core.errors import ConfigError
from r1flow.components.data.sources import tiny_rows
from r1flow.components.rewards.base import RewardBatch
from r1flow.components.rewards.compute import compute

ROWS = tiny_rows("sum", 3, 0, ())
BATCH = RewardBatch(["a", "bb", "ccc"], rows=ROWS, lengths=[1, 2, 3])


def test_numbers_of_any_kind_are_floats_and_none_stays_none() -> None:
    found = compute("own:f", lambda batch: [1, None, np.float32(0.5)], BATCH)
    assert found == [1.0, None, 0.5]
    assert [type(value) for value in found] == [float, type(None), float]
    assert compute("own:f", lambda batch: np.arange(3), BATCH) == [0.0, 1.0, 2.0]
    assert compute("own:f", lambda batch: (len(text) > 1 for text in batch.texts), BATCH) == [0.0, 1.0, 1.0]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, np.float64("nan"), "1", [1.0], 10**400])
def test_what_is_no_finite_number_names_function_and_completion(value: Any) -> None:
    with pytest.raises(ConfigError, match=rf"the reward own:f gave .* to completion 2, an answer to row {ROWS[2].id};"):
        compute("own:f", lambda batch: [0.0, None, value], BATCH)


@pytest.mark.parametrize("values", [[], [1.0], [1.0] * 4])
def test_another_number_of_values_is_refused(values: list[float]) -> None:
    with pytest.raises(ConfigError, match=f"the reward own:f returned {len(values)} values for 3 completions"):
        compute("own:f", lambda batch: values, BATCH)


@pytest.mark.parametrize(
    ("reward", "why"),
    [
        (lambda batch: [1 / (length - 2) for length in batch.lengths], "ZeroDivisionError: division by zero"),
        (lambda batch: None, "TypeError: 'NoneType' object is not iterable"),
        (lambda texts, rows: [0.0] * 3, "TypeError: .*'rows'"),
    ],
)
def test_a_reward_that_raises_is_named(reward: Callable[..., Any], why: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR), pytest.raises(ConfigError, match=f"the reward own:f raised {why}"):
        compute("own:f", reward, BATCH)
    assert "Traceback" in caplog.text
