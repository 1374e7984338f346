from fractions import Fraction

import pytest

from r1flow.components.rewards.mathematics.normal_form import normal
from r1flow.components.rewards.mathematics.number import read, same


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("1,234,567", Fraction(1234567), ""),
        ("1 000 4/9", Fraction(9004, 9), ""),
        ("2\\frac58", Fraction(21, 8), ""),
        ("\\frac{-1}{3}", Fraction(-1, 3), ""),
        ("$1,000.99", Fraction(100099, 100), ""),
        ("2.5 \\times 10^{-3}", Fraction(1, 400), ""),
        ("10^{3}", Fraction(1000), ""),
        ("5 million", Fraction(5_000_000), ""),
        ("10\\text{ cm}^{2}", Fraction(10), "cm^2"),
        ("125 miles", Fraction(125), "mi"),
        ("90^{\\circ}", Fraction(90), "deg"),
        ("\\text{five}", Fraction(5), ""),
        ("[5.0]", Fraction(5), ""),
    ],
)
def test_plain_numbers_are_read_exactly(text: str, value: Fraction, unit: str) -> None:
    number = read(normal(text))
    assert number is not None
    assert (number.value, number.unit) == (value, unit)


@pytest.mark.parametrize(
    "text", ["2^6", "5x", "3i", "10m", "5\\theta", "4 4/0", "11 6/6", "5 or 6", "1 8", "32, 349", ""]
)
def test_what_is_more_than_a_number_is_none(text: str) -> None:
    assert read(normal(text)) is None


@pytest.mark.parametrize(
    ("gold", "answer", "equal"),
    [
        ("10", "10\\%", True),
        ("0.1", "10\\%", True),
        ("0.1", "10", False),
        ("10\\%", "1\\%", False),
        ("10 cm", "10 centimeters", True),
        ("10 cm", "10 mm", False),
        ("0.3333", "1/3", True),
        ("1/3", "0.3333", False),
        ("0.30000000000000004", "0.3", True),
        ("16386.17", "16386.18", False),
        ("1001.5", "1001", False),
    ],
)
def test_conventions_on_percent_units_and_rounding_hold(gold: str, answer: str, equal: bool) -> None:
    first, second = read(normal(gold)), read(normal(answer))
    assert first is not None
    assert second is not None
    assert same(first, second) is equal
