"""The model's floating-point operations in a step, for the utilisation of the machine (MFU). Pure.

MFU = operations / (seconds x peak rate), after PaLM (arXiv 2204.02311, appendix B): counted is what the model needs, not what an
implementation repeats, pads or computes again.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """A decoder's numbers: ``body`` weights that multiply every token, ``head`` = vocabulary x hidden size, and ``attention`` =
    layers x heads x head size."""

    body: int
    head: int
    attention: int


def group_flops(cost: Cost, prompt: int, completions: Sequence[int]) -> float:
    """One forward pass over ``completions`` (their lengths) of one prompt, the prompt once.

    ``2 body T + 2 head N + 4 attention S``: T = P + sum_i (C_i - 1) tokens pass through the body, since the last of each predicts
    nothing; N = sum_i C_i are predicted; S = P^2 / 2 + sum_i C_i (P + C_i / 2) pairs of query and key, each a multiplication for
    the score and one for the value.

    >>> group_flops(Cost(body=10, head=5, attention=0), 3, [2, 4])
    200.0
    """
    if not completions:
        return 0.0
    tokens = prompt + sum(completions) - len(completions)
    pairs = prompt**2 / 2 + sum(length * (prompt + length / 2) for length in completions)
    return 2.0 * cost.body * tokens + 2.0 * cost.head * sum(completions) + 4.0 * cost.attention * pairs


def step_flops(sampled: float, trained: float, frozen_passes: int = 0) -> float:
    """A step from forward passes: ``sampled (1 + frozen_passes) + 3 trained``.

    ``sampled`` and ``trained`` are one forward pass over what was sampled and over what has a gradient; a backward pass costs two
    forward ones. ``frozen_passes`` counts those for old and for the reference's log-probabilities.
    """
    return sampled * (1 + frozen_passes) + 3 * trained
