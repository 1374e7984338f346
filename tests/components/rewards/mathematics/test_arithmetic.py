from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from r1flow.components.rewards.mathematics.arithmetic import same_value


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("x^2-9", "(x-3)(x+3)"),
        ("\\frac{5pa}{r}", "5pa/r"),
        ("2\\pi r^2", "r\\cdot 2r\\pi"),
        ("5\\sqrt{3}", "\\sqrt{75}"),
        ("\\sqrt{3+2\\sqrt{2}}", "1+\\sqrt{2}"),
        ("\\sqrt[3]{54}", "3\\sqrt[3]{2}"),
        ("0.5x", "\\frac{1}{2}x"),
        ("x^2+y^2=25", "y^2=25-x^2"),
        ("2x+4y-3=0", "y=-\\frac{1}{2}x+\\frac{3}{4}"),
    ],
)
def test_equal_expressions_and_equations_are_equal(gold: str, answer: str) -> None:
    assert same_value(gold, answer) is True


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("x^2-9", "(x-3)^2"),
        ("x^2+1", "y^2+1"),
        ("a_1+b", "A_1+b"),
        ("\\sqrt{12}", "2\\sqrt{2}"),
        ("-x^2", "(-x)^2"),
        ("x^2+y^2=1", "x^2+y^2=2"),
        ("2^{2024}", "2^{2024}-1"),
    ],
)
def test_different_expressions_and_equations_are_different(gold: str, answer: str) -> None:
    assert same_value(gold, answer) is False


@pytest.mark.parametrize(
    "text",
    [
        *("\\sin x", "f(x+1)", "1/2x", "x^12", "3+2i", "5!", "9^{9^9}", "(-8)^{1/3}", "\\sqrt{x^2}", "x+", "0/0"),
        *("2^{99999999}", "1.41421", "(" * 99 + "x", "x=1=y", "\\frac{1}{0}", "4 5", "2\\frac{1}{2}x", ""),
    ],
)
def test_what_is_not_plain_is_left_to_algebra(text: str) -> None:
    assert same_value(text, "\\sqrt{2}") is None


@settings(deadline=None, max_examples=100)
@given(st.lists(st.integers(-9, 9), min_size=2, max_size=4), st.integers(-9, 9), st.integers(1, 5))
def test_a_polynomial_equals_its_multiples_over_the_factor_and_no_other(roots: list[int], by: int, factor: int) -> None:
    product = "".join(f"(x-({root}))" for root in roots)
    assert same_value(product, f"\\frac{{{factor}{product}}}{{{factor}}}") is True
    assert same_value(product, f"{product}{by:+d}") is (by == 0)


@settings(deadline=None, max_examples=100)
@given(st.fractions(max_denominator=50), st.fractions(max_denominator=50))
def test_sums_are_exact(a: Fraction, b: Fraction) -> None:
    total = a + b
    assert same_value(f"{total.numerator}/{total.denominator}", f"({a})+({b})") is True
