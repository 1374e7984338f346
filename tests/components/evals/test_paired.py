"""The sign-flip test against enumeration, Holm against hand calculation, verdicts in words."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from r1flow.components.evals.paired import compare, compare_all, holm, sign_flip_p


@settings(deadline=None)
@given(st.lists(st.integers(-4, 4), max_size=8))
def test_p_is_the_share_of_all_signs_that_give_as_large_a_sum(quarters):
    sums = [
        sum(sign * d for sign, d in zip(signs, quarters, strict=True))
        for signs in product((1, -1), repeat=len(quarters))
    ]
    expected = sum(abs(s) >= abs(sum(quarters)) for s in sums) / len(sums)
    assert sign_flip_p([d / 4 for d in quarters]) == pytest.approx(expected)


def test_odd_numbers_of_samples_take_a_coarser_grid_and_the_same_time():
    odd = [(-1) ** i * (i % 97) / 97 + 0.01 for i in range(1500)]
    assert sign_flip_p(odd) == pytest.approx(sign_flip_p([round(d, 2) for d in odd]), abs=0.02)


def test_fewer_than_six_problems_show_nothing():
    assert sign_flip_p([1.0] * 5) == 0.0625
    assert (
        compare({str(i): 1.0 for i in range(5)}, {str(i): 0.0 for i in range(5)}).verdict
        == "no difference shown at n = 5"
    )
    assert sign_flip_p([1.0] * 6) == 0.03125


def test_verdicts_are_words():
    old = {str(i): (i % 4) / 4 for i in range(40)}
    assert compare({p: v + 0.25 for p, v in old.items()}, old).verdict == "better"
    assert compare({p: v - 0.25 for p, v in old.items()}, old).verdict == "worse"
    same = compare(old, old)
    assert (same.verdict, same.p) == ("no difference shown at n = 40", 1.0)
    assert str(same) == "no difference shown at n = 40 (+0.000, +0.000 to +0.000, p = 1)"


def test_only_common_problems_count():
    found = compare({"a": 1.0, "new": 0.0}, {"a": 1.0, "old": 0.0})
    assert (found.problems, found.difference.mean) == (1, 0.0)
    with pytest.raises(ValueError, match="no problem in common"):
        compare({"a": 1.0}, {"b": 1.0})


def test_many_models_are_held_to_one_level():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []
    base = {str(i): 0.0 for i in range(40)}
    lucky = {p: float(int(p) < 7) for p in base}  # p = 2 / 2**7
    assert compare(lucky, base).verdict == "better"
    eight = compare_all({name: lucky if name == "lucky" else base for name in "abcdefg"} | {"lucky": lucky}, base)
    assert eight["lucky"].corrected == pytest.approx(8 * 2 / 2**7)
    assert eight["lucky"].verdict == "no difference shown at n = 40", (
        "one of eight is lucky more often than one of twenty"
    )
