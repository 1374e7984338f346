"""What "95 %" means: seeded simulations, smaller than those of ``benchmarks/intervals.py``, which prints all metrics."""

import pytest

from benchmarks.intervals import MEANS, coverage, power


@pytest.mark.parametrize(("problems", "evaluations"), [(30, 300), (500, 60)])
@pytest.mark.parametrize("samples", [1, 16])
@pytest.mark.parametrize("mean", MEANS)
@pytest.mark.parametrize("spread", [0.5, 2.0])
def test_the_interval_holds_the_truth_in_93_of_100_evaluations(problems, evaluations, samples, mean, spread):
    found = coverage(problems, samples, mean, spread, evaluations, seed=1)
    least = 0.93 - 2 * (0.93 * 0.07 / evaluations) ** 0.5  # two standard errors of so few evaluations
    assert min(found.by_problem, found.by_sample) >= least


@pytest.mark.parametrize(("problems", "evaluations"), [(30, 300), (500, 60)])
@pytest.mark.parametrize("samples", [1, 16])
@pytest.mark.parametrize("mean", MEANS)
def test_equal_models_are_told_apart_in_at_most_five_of_a_hundred_comparisons(problems, evaluations, samples, mean):
    allowed = 0.05 + 2 * (0.05 * 0.95 / evaluations) ** 0.5  # two standard errors of so few comparisons
    assert power(problems, samples, mean, 0.0, evaluations, seed=1) <= allowed


def test_a_real_difference_is_found():
    assert power(500, 16, 0.5, 0.05, 40, seed=1) > 0.9
    assert power(30, 16, 0.5, 0.1, 100, seed=1) > 0.5
