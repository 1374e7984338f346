"""Figures and intervals against enumeration and hand calculation."""

import math
from itertools import combinations
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from r1flow.components.evals.stats import (
    Estimate,
    clustered_share,
    cons_at_k,
    paired_difference,
    pass_at_1,
    pass_at_1_by_sample,
    pass_at_k,
)

SAMPLES = st.lists(st.booleans(), min_size=1, max_size=7)


def approx(mean, error):
    return (pytest.approx(mean), pytest.approx(mean - error), pytest.approx(mean + error))


def width(estimate):
    return estimate.high - estimate.low


def values(estimate):
    return estimate.mean, estimate.low, estimate.high


@settings(deadline=None)
@given(st.lists(SAMPLES, min_size=1, max_size=4), st.data())
def test_pass_at_k_is_the_share_of_k_subsets_with_a_right_answer(correct, data):
    k = data.draw(st.integers(1, min(map(len, correct))))
    shares = []
    for samples in correct:
        subsets = list(combinations(samples, k))
        shares.append(sum(any(s) for s in subsets) / len(subsets))
    assert pass_at_k(correct, k) == pytest.approx(sum(shares) / len(shares), abs=1e-12)


def test_pass_at_one_of_k_samples_is_their_mean():
    correct = [[True, False, False], [True, True, False]]
    assert pass_at_k(correct, 1) == pytest.approx(pass_at_1(correct).mean) == pytest.approx(0.5)


def test_more_than_there_are_samples_is_refused():
    with pytest.raises(ValueError, match="pass@3 needs 3 samples a problem, one has 2"):
        pass_at_k([[True] * 3, [True] * 2], 3)


def test_pass_at_1_does_not_depend_on_k():
    """Of 64 samples any k, drawn in any way, have the mean of all 64 on average; more samples say the same more surely."""
    rng = Random(7)
    rates = [rng.random() for _ in range(200)]
    drawn = [[rng.random() < rate for _ in range(64)] for rate in rates]
    truth = sum(rates) / len(rates)
    for k in (1, 4, 16, 64):
        parts = [[samples[start : start + k] for samples in drawn] for start in range(0, 64, k)]
        estimates = [pass_at_1(part) for part in parts]
        assert sum(found.mean for found in estimates) / len(parts) == pytest.approx(pass_at_1(drawn).mean)
        assert sum(found.low <= truth <= found.high for found in estimates) >= 0.93 * len(parts)
        assert all(pass_at_k(part, 1) == pytest.approx(pass_at_1(part).mean) for part in parts)


def test_the_interval_of_pass_at_1_is_wilson_s_for_the_effective_number_of_tosses():
    # shares 1, 1/2, 0, 1/2: mean 1/2, squares around it 1/2; four more of 1/4 each over 3 + 4 degrees of freedom
    correct = [[True, True], [True, False], [False, False], [False, True]]
    effective = 4 * (1 / 4) / ((1 / 2 + 4 / 4) / 7)  # 4.67, between 4 problems and 8 samples
    t = 3.182446305284263  # Student's quantile with 3 degrees of freedom
    half = math.sqrt(t**2 / (4 * (effective + t**2)))  # Wilson's half width at 1/2
    assert values(pass_at_1(correct)) == approx(0.5, half)
    many = [samples * 100 for samples in correct]
    assert values(pass_at_1(many)) == approx(0.5, half), "more samples of the same problems are no more problems"


def test_the_interval_by_sample_narrows_with_samples_and_not_with_problems_that_agree():
    sure = [[True] * 16] * 15 + [[False] * 16] * 15
    unsure = [[True, False] * 8] * 30
    assert width(pass_at_1_by_sample(sure)) < 0.3 * width(pass_at_1_by_sample(unsure))
    assert width(pass_at_1(sure)) > 2 * width(pass_at_1(unsure)), "by problem it is the other way round"
    assert width(pass_at_1_by_sample([s * 16 for s in unsure])) < 0.3 * width(pass_at_1_by_sample(unsure))


@settings(deadline=None)
@given(st.lists(SAMPLES, min_size=1, max_size=9))
def test_intervals_hold_the_mean_and_stay_between_0_and_1(correct):
    for found in (pass_at_1(correct), pass_at_1_by_sample(correct)):
        assert 0 <= found.low <= found.mean <= found.high <= 1
        assert width(found) > 0


def test_the_majority_decides_and_a_tie_goes_to_the_first_said():
    assert cons_at_k([["7", "8", "8"]], [[False, True, True]]) == 1
    assert cons_at_k([["7", "8", "8", "7"]], [[True, False, False, True]]) == 1
    assert cons_at_k([["8", "7", "8", "7"]], [[False, True, False, True]]) == 0


def test_no_answer_has_no_vote():
    assert cons_at_k([[None, None, "8"]], [[False, False, True]]) == 1
    assert cons_at_k([[None, None]], [[False, False]]) == 0
    assert cons_at_k([[None, "8"], ["9", "9"]], [[False, True], [False, False]]) == 0.5


def test_a_paired_difference_takes_out_what_the_problems_share():
    # differences 0.1, 0.3, 0.2: mean 0.2, sample variance 0.01
    old = [0.1, 0.5, 0.7]
    found = paired_difference([0.2, 0.8, 0.9], old)
    assert values(found) == approx(0.2, 4.302652729749464 * 0.1 / math.sqrt(3)), "Student, 2 degrees of freedom"
    assert values(paired_difference(old, old)) == (0, 0, 0)


def test_unequal_lists_are_not_paired():
    with pytest.raises(ValueError, match="a paired test needs the same problems: 2 against 1"):
        paired_difference([0.1, 0.2], [0.1])


def test_one_problem_says_nothing_about_others():
    assert pass_at_1([[True, False]]) == Estimate(0.5, 0.0, 1.0)
    with pytest.raises(ValueError, match="a share of no problems"):
        clustered_share([], 0)
