"""Learning rates by hand."""

import math

import pytest

from r1flow.components.core.schedule import learning_rate


def rates(steps, **settings):
    return [learning_rate(step, peak=2.0, **settings) for step in steps]


def test_warm_up_rises_to_the_peak_at_its_last_step():
    assert rates(range(5), total_steps=10, warmup_steps=4) == [0.5, 1.0, 1.5, 2.0, 2.0]
    assert rates([0, 500], total_steps=10) == [2.0, 2.0]


def test_cosine_falls_to_a_tenth_and_stays_there():
    found = rates([0, 5, 10, 99], total_steps=10, schedule="cosine")
    assert found == pytest.approx([2.0, 1.1, 0.2, 0.2])
    quarter = 2.0 * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi / 4)))
    assert rates([4], total_steps=10, warmup_steps=2, schedule="cosine") == pytest.approx([quarter])


def test_linear_falls_evenly():
    assert rates([0, 5, 10], total_steps=10, schedule="linear") == pytest.approx([2.0, 1.1, 0.2])
    assert rates([10], total_steps=10, schedule="linear", floor=0.0) == [0.0]


def test_the_papers_sft_goes_from_5e_5_to_5e_6():
    assert learning_rate(0, peak=5e-5, total_steps=100, schedule="cosine") == 5e-5
    assert learning_rate(100, peak=5e-5, total_steps=100, schedule="cosine") == pytest.approx(5e-6)


@pytest.mark.parametrize("schedule", ["constant", "cosine", "linear"])
def test_a_run_shorter_than_its_warm_up_never_decays(schedule):
    assert rates(range(3), total_steps=3, warmup_steps=8, schedule=schedule) == [0.25, 0.5, 0.75]
    assert rates([8], total_steps=8, warmup_steps=8, schedule=schedule) == [2.0]
