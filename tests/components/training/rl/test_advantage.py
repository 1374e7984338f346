"""Group-relative advantages against values worked out by hand, and the invariants of the formula."""

import math
import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from r1flow.components.training.rl.advantage import EPS, batch_advantages, group_advantages, has_signal, leave_one_out

NUMBERS = st.floats(-10, 10, allow_nan=False, width=32)
REWARDS = st.lists(st.one_of(NUMBERS, st.none()), min_size=1, max_size=12)
METHODS = ["group_std", "batch_std", "mean", "leave_one_out"]


def oracle(groups, method):
    """Every method again, in plain loops that share nothing with the code."""
    everything = [r for rewards in groups for r in rewards if r is not None]
    found = []
    for rewards in groups:
        scored = [r for r in rewards if r is not None]
        row = []
        for i, r in enumerate(rewards):
            if r is None or all(other == scored[0] for other in scored):
                row.append(0.0)
                continue
            others = [q for j, q in enumerate(rewards) if j != i and q is not None]
            off = r - sum(scored) / len(scored)
            spread = statistics.stdev(everything if method == "batch_std" else scored) + 1e-4
            row.append({"leave_one_out": r - sum(others) / len(others), "mean": off}.get(method, off / spread))
        found.append(row)
    return found


def test_one_right_answer_in_four():
    # mean 1/4; squares 9/16 + 3 * 1/16 = 12/16; sample variance 12/16 / 3 = 1/4; deviation 1/2
    assert group_advantages([1.0, 0.0, 0.0, 0.0]) == pytest.approx(
        [0.75 / 0.5001, -0.25 / 0.5001, -0.25 / 0.5001, -0.25 / 0.5001], abs=1e-15
    )
    assert group_advantages([1.0, 0.0, 0.0, 0.0])[0] == pytest.approx(1.4997000599880024, abs=1e-12)


def test_the_deviation_divides_by_n_minus_one_and_eps_is_added_to_it():
    assert group_advantages([0.0, 1.0, 2.0]) == pytest.approx([-1 / 1.0001, 0.0, 1 / 1.0001], abs=1e-15)
    assert group_advantages([3.0, 1.0]) == pytest.approx([1 / (math.sqrt(2) + 1e-4), -1 / (math.sqrt(2) + 1e-4)])


def test_without_scale_only_the_mean_is_taken_off():
    assert group_advantages([2.0, 0.0, 1.0], scale=False) == [1.0, -1.0, 0.0]


def test_unscored_completions_get_nothing_and_change_nothing():
    with_none = group_advantages([1.0, None, 0.0, 0.0, None, 0.0])
    assert with_none == [0.75 / 0.5001, 0.0, -0.25 / 0.5001, -0.25 / 0.5001, 0.0, -0.25 / 0.5001]


@pytest.mark.parametrize(
    "rewards", [[1.0], [None], [], [None, 0.7, None], [0.0] * 8, [0.1, 0.1, 0.1], [1e9 + 0.1] * 7 + [None]]
)
def test_a_group_without_two_different_rewards_teaches_nothing(rewards):
    assert not has_signal(rewards)
    assert group_advantages(rewards) == [0.0] * len(rewards)


def test_equality_is_exact_so_that_rounding_counts_as_a_difference_but_stays_small():
    noisy = [0.1 + 0.2, 0.3]
    assert noisy[0] != noisy[1]
    assert has_signal(noisy)
    assert all(abs(a) < 1e-11 for a in group_advantages(noisy))


@settings(deadline=None)
@given(REWARDS)
def test_advantages_sum_to_zero(rewards):
    for scale in (True, False):
        assert sum(group_advantages(rewards, scale=scale)) == pytest.approx(0, abs=1e-9)


@settings(deadline=None)
@given(REWARDS, NUMBERS)
def test_a_shift_of_all_rewards_changes_nothing(rewards, shift):
    shifted = [None if r is None else r + shift for r in rewards]
    assert group_advantages(shifted) == pytest.approx(group_advantages(rewards), abs=1e-9)


@settings(deadline=None)
@given(REWARDS, st.randoms(use_true_random=False))
def test_advantages_follow_their_completions_through_any_reordering(rewards, random):
    order = list(range(len(rewards)))
    random.shuffle(order)
    advantages = group_advantages(rewards)
    assert group_advantages([rewards[i] for i in order]) == [advantages[i] for i in order]


@settings(deadline=None)
@given(st.lists(st.integers(-10, 10).map(float), min_size=2, max_size=12), st.integers(1, 1000))
def test_a_scale_of_all_rewards_changes_no_more_than_eps_allows(rewards, factor):
    before, after = group_advantages(rewards), group_advantages([r * factor for r in rewards])
    if not has_signal(rewards):
        assert after == before
        return
    mean = sum(rewards) / len(rewards)
    deviation = math.sqrt(sum((r - mean) ** 2 for r in rewards) / (len(rewards) - 1))
    for a, b in zip(before, after, strict=True):
        assert abs(a - b) <= abs(b) * EPS / deviation + 1e-12


def test_leave_one_out_keeps_a_single_success_among_failures():
    assert leave_one_out([1.0, 0.0, 0.0, 0.0]) == pytest.approx([1.0, -1 / 3, -1 / 3, -1 / 3], abs=1e-15)
    assert leave_one_out([1.0, 0.0]) == [1.0, -1.0]
    assert leave_one_out([1.0, None, 0.0]) == [1.0, 0.0, -1.0]


@settings(deadline=None)
@given(REWARDS)
def test_leave_one_out_is_the_mean_baseline_times_n_over_n_minus_one(rewards):
    n = len([r for r in rewards if r is not None])
    expected = [a * n / max(1, n - 1) for a in group_advantages(rewards, scale=False)]
    assert leave_one_out(rewards) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("method", METHODS)
@settings(deadline=None)
@given(st.lists(REWARDS, min_size=1, max_size=5))
def test_every_method_is_its_formula_in_plain_loops(method, groups):
    found, expected = batch_advantages(groups, method), oracle(groups, method)
    for row, wanted in zip(found, expected, strict=True):
        assert row == pytest.approx(wanted, abs=1e-12, rel=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_a_group_without_signal_gets_zeros_and_does_not_disturb_the_others(method):
    dull = [[0.1] * 4, [None, 0.7, None, None], [None] * 4]
    found = batch_advantages([*dull, [1.0, 0.0, 0.0, 0.0]], method)
    assert found[:3] == [[0.0] * 4] * 3
    assert found[3][0] > 0 > found[3][1]
    assert batch_advantages(dull, method) == [[0.0] * 4] * 3
    assert batch_advantages([], method) == []


@pytest.mark.parametrize("method", ["group_std", "mean", "leave_one_out"])
def test_a_group_knows_nothing_of_other_groups_unless_the_batch_scales_it(method):
    one, other = [1.0, 0.0, 0.0], [5.0, -5.0, 2.0]
    assert batch_advantages([one, other], method)[0] == batch_advantages([one], method)[0]
    assert batch_advantages([one, other], "batch_std")[0] != batch_advantages([one], "batch_std")[0]
