"""Corrections for a sampler that differs from the trainer, against plain loops."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from r1flow.components.training.rl.loss import correction_weights

METHODS = {
    "tis": (0.0, 2.0),
    "sequence_tis": (0.0, 2.0),
    "icepop": (0.5, 5.0),
    "sequence_mask": (0.3, 3.0),
    "geometric_mask": (0.8, 1.25),
}
GAPS = st.lists(st.lists(st.floats(-3, 3, allow_nan=False), max_size=5), min_size=1, max_size=6)


def oracle(gaps, method):
    """Weight and verdict of every token of completions given as gaps log p_trainer - log p_sampler."""
    low, high = METHODS[method]
    weights, outside = [], []
    for row in gaps:
        for gap in row:
            ratio = math.exp(gap)
            if method.startswith("sequence"):
                ratio = math.exp(sum(row))
            judged = math.exp(sum(row) / len(row)) if method == "geometric_mask" else ratio
            beyond = judged < low or judged > high
            if method.endswith("tis"):
                weights.append(min(ratio, high))
            else:
                weights.append(0.0 if beyond else ratio)
            outside.append(beyond)
    return weights, outside


def found(gaps, method, bounds=None):
    flat = torch.tensor([g for row in gaps for g in row], dtype=torch.float64)
    lengths = torch.tensor([len(row) for row in gaps])
    sampler = torch.full_like(flat, -4.0)
    weights, outside = correction_weights(sampler + flat, sampler, lengths, method, *(bounds or METHODS[method]))
    return weights.tolist(), outside.tolist()


@pytest.mark.parametrize("method", sorted(METHODS))
@settings(deadline=None)
@given(GAPS)
def test_every_method_is_its_formula_in_plain_loops(method, gaps):
    weights, outside = found(gaps, method)
    expected, beyond = oracle(gaps, method)
    assert weights == pytest.approx(expected, rel=1e-12, abs=1e-12)
    edge = [abs(math.log(b) - g) < 1e-9 for row in gaps for g in row for b in METHODS[method] if b]
    assert outside == beyond or any(edge)


def test_by_hand():
    two, half = math.log(2), math.log(0.5)
    assert found([[two, two, half]], "tis", (0, 1.5))[0] == pytest.approx([1.5, 1.5, 0.5])
    assert found([[two, two, half]], "icepop", (0.6, 3))[0] == pytest.approx([2, 2, 0])
    assert found([[two, two, half], [two]], "sequence_mask", (0, 1.9))[0] == [0, 0, 0, 0]
    assert found([[two, half], [two]], "sequence_mask", (0, 1.9))[0] == pytest.approx([1, 1, 0])
    assert found([[two, half], [two]], "geometric_mask", (0.9, 1.1))[0] == pytest.approx([2, 0.5, 0])


@pytest.mark.parametrize("method", ["none", *METHODS])
def test_a_sampler_that_agrees_is_not_corrected(method):
    weights, outside = found([[0.0] * 3, [], [0.0]], method, METHODS.get(method, (0, 2)))
    assert weights == [1.0] * 4
    assert not any(outside)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_a_token_that_the_sampler_gave_no_number_for_counts_as_agreeing(method):
    assert found([[math.nan, 0.0]], method)[0] == [1.0, 1.0]


def test_weights_are_constants():
    trainer = torch.tensor([-1.0, -2.0], requires_grad=True)
    weights, _ = correction_weights(trainer, torch.tensor([-1.5, -1.5]), torch.tensor([2]), "tis", 0.0, 2.0)
    assert not weights.requires_grad
