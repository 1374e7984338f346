"""Learning rates as a pure function of the step."""

import math
from typing import Literal

Schedule = Literal["constant", "cosine", "linear"]


def learning_rate(
    step: int,
    *,
    peak: float,
    total_steps: int,
    warmup_steps: int = 0,
    schedule: Schedule = "constant",
    floor: float = 0.1,
) -> float:
    """The learning rate of ``step`` (from 0): linear warm-up, then constant, or decay to ``floor * peak`` at the end.

    The paper's SFT decays by a cosine to a tenth of the peak (R1 supplementary: 5e-5 to 5e-6).

    >>> learning_rate(0, peak=1.0, total_steps=10, warmup_steps=5)
    0.2
    >>> round(learning_rate(10, peak=1.0, total_steps=10, schedule="cosine"), 3)
    0.1
    """
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    progress = min(1.0, (step - warmup_steps) / max(1, total_steps - warmup_steps))
    if schedule == "constant":
        return peak
    if schedule == "linear":
        return peak * (1 - (1 - floor) * progress)
    return peak * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress)))
