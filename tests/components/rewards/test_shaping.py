import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from r1flow.components.rewards.shaping import cosine_length, group_length, repetition_penalty, soft_overlong


@pytest.mark.parametrize(
    ("length", "reward"), [(0, 0.0), (16384, 0.0), (17408, -0.25), (18432, -0.5), (20480, -1.0), (99999, -1.0)]
)
def test_the_soft_overlong_punishment_has_the_papers_figures(length: int, reward: float) -> None:
    assert soft_overlong(length, 20480, 4096) == reward


@pytest.mark.parametrize("cache", [0, -1, 101])
def test_a_cache_that_does_not_fit_is_refused(cache: int) -> None:
    with pytest.raises(ValueError, match="cache"):
        soft_overlong(10, 100, cache)


@pytest.mark.parametrize(
    ("correct", "length", "reward"),
    [
        (True, 0, 1.0),
        (True, 50, 0.75),
        (True, 100, 0.5),
        (True, 200, 0.5),
        (False, 0, -1.0),
        (False, 50, -0.75),
        (False, 100, -0.5),
        (True, 25, 0.5 + 0.25 * (1 + math.sqrt(0.5))),
    ],
)
def test_short_is_good_when_right_and_bad_when_wrong(correct: bool, length: int, reward: float) -> None:
    assert cosine_length(correct, length, 100) == pytest.approx(reward)


def test_ranges_and_the_reward_for_too_long_can_be_given() -> None:
    assert cosine_length(True, 0, 100, if_correct=(2.0, 1.0)) == 2.0
    assert cosine_length(False, 50, 100, if_wrong=(-10.0, 0.0)) == pytest.approx(-5.0)
    assert [cosine_length(right, 100, 100, exceeded=-10.0) for right in (True, False)] == [-10.0, -10.0]
    assert cosine_length(True, 99, 100, exceeded=-10.0) > 0.5
    with pytest.raises(ValueError, match="max_length"):
        cosine_length(True, 0, 0)


def test_repetition_is_the_share_of_ngrams_seen_before() -> None:
    assert repetition_penalty("so we add so we add so we add") == pytest.approx(-4 / 7)
    assert repetition_penalty("So we ADD\nso WE add", 2) == pytest.approx(-0.4)
    assert repetition_penalty("a b c d") == 0.0
    assert repetition_penalty("a a", 3) == 0.0
    assert repetition_penalty("a a a", 1, -0.5) == pytest.approx(-1 / 3)


def test_scripts_without_spaces_repeat_by_character() -> None:
    assert repetition_penalty(
        "\u6240\u4ee5\u7b54\u6848\u6240\u4ee5\u7b54\u6848\u6240\u4ee5\u7b54\u6848"
    ) == pytest.approx(-0.6)
    assert repetition_penalty("\u3053\u305f\u3048\u306f\u3053\u305f\u3048\u306f", 2) == pytest.approx(-3 / 7)
    assert repetition_penalty("\u6211\u4eec\u628a\u4e24\u4e2a\u6570\u76f8\u52a0") == 0.0
    assert repetition_penalty("\u0e04\u0e37\u0e2d\u0e04\u0e37\u0e2d\u0e04\u0e37\u0e2d") < 0


def test_token_ids_repeat_like_words() -> None:
    assert repetition_penalty([5, 5, 5, 5, 5], 2) == pytest.approx(-0.75)


def test_a_penalty_that_rewards_is_refused() -> None:
    with pytest.raises(ValueError, match="positive"):
        repetition_penalty("a", max_penalty=0.5)
    with pytest.raises(ValueError, match="ngram"):
        repetition_penalty("a", 0)


def test_length_is_compared_within_the_group() -> None:
    assert group_length([True, True, True], [100, 150, 200]) == [0.5, 0.0, -0.5]
    assert group_length([False, False, False], [100, 150, 200]) == [0.0, 0.0, -0.5]
    assert group_length([True, False, True, False], [10, 10, 30, 20]) == [0.5, 0.0, -0.5, 0.0]


def test_a_group_of_equal_lengths_says_nothing() -> None:
    assert group_length([True, False], [7, 7]) == [0.0, 0.0]
    assert group_length([True], [7]) == [0.0]
    assert group_length([], []) == []
    with pytest.raises(ValueError, match="2 verdicts for 1 lengths"):
        group_length([True, True], [1])


@given(st.integers(0, 10**6), st.integers(1, 10**5), st.booleans(), st.text())
def test_shaping_stays_within_its_bounds(length: int, max_length: int, correct: bool, text: str) -> None:
    assert -1 <= soft_overlong(length, max_length, max_length) <= 0
    low, high = (0.5, 1.0) if correct else (-1.0, -0.5)
    assert low - 1e-9 <= cosine_length(correct, length, max_length) <= high + 1e-9
    assert -1 < repetition_penalty(text) <= 0
