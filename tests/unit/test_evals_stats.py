"""Figures and intervals against enumeration and hand calculation."""

import math
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.evals.stats import Estimate, cons_at_k, paired_difference, pass_at_1, pass_at_k

SAMPLES = st.lists(st.booleans(), min_size=1, max_size=7)


def approx(mean, error):
    return (pytest.approx(mean), pytest.approx(mean - error), pytest.approx(mean + error))


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


def test_the_interval_of_pass_at_1_is_over_problems_not_over_samples():
    # shares 1, 1/2, 0, 1/2: mean 1/2, sample variance (1/4 + 1/4) / 3 = 1/6
    correct = [[True, True], [True, False], [False, False], [False, True]]
    assert values(pass_at_1(correct)) == approx(0.5, 1.959963984540054 * math.sqrt(1 / 6 / 4))
    many = [samples * 100 for samples in correct]
    assert values(pass_at_1(many)) == approx(0.5, 1.959963984540054 * math.sqrt(1 / 6 / 4))


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
    assert values(found) == approx(0.2, 1.959963984540054 * 0.1 / math.sqrt(3))
    assert values(paired_difference(old, old)) == (0, 0, 0)


def test_unequal_lists_are_not_paired():
    with pytest.raises(ValueError, match="a paired test needs the same problems: 2 against 1"):
        paired_difference([0.1, 0.2], [0.1])


def test_one_problem_has_no_interval():
    assert pass_at_1([[True, False]]) == Estimate(0.5, 0.5, 0.5)
