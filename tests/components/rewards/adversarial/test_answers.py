"""The drawn answers are what they claim: the forms of one are equal, the near misses are not."""

import itertools
import re

import pytest
import sympy
from sympy.parsing.sympy_parser import (
    convert_xor,
    implicit_multiplication_application,
    parse_expr,
    standard_transformations,
)

from r1flow.components.core.seeds import python_rng
from r1flow.components.rewards.adversarial.answers import expressions, numbers
from r1flow.components.rewards.adversarial.certify import make_cases
from r1flow.components.rewards.adversarial.mathematics import _GENERATORS

EVALUABLE = (
    numbers.integer,
    numbers.fraction,
    numbers.finite_decimal,
    numbers.scientific,
    expressions.root,
    expressions.surd,
    expressions.multiple_of_pi,
    expressions.power,
    expressions.logarithm,
    expressions.polynomial,
    expressions.formula,
    expressions.rational_function,
    expressions.trigonometric,
)
LETTERS = {letter: sympy.Symbol(letter) for letter in "abcdfghjklmnopqrstuvwxyz"}
TRANSFORMATIONS = (*standard_transformations, convert_xor, implicit_multiplication_application)


def value(text: str) -> complex | None:
    """The value of the LaTeX that the generators write, by other means than the verifier's; None for anything else."""
    plain = text.replace("\u2212", "-").replace("{,}", "").replace(",\\!", "").replace("\\,", "")
    plain = re.sub(r"^x = |[$]|\\[()]|\\left|\\right|\\displaystyle|\\mathbf", "", plain).strip()
    plain = re.sub(r"(?<=\d),(?=\d{3})", "", plain)
    plain = re.sub(r"\\[dt]frac", r"\\frac", plain)
    plain = re.sub(r"\\frac(\d)(\d)", r"((\1)/(\2))", plain)
    plain = re.sub(r"\\frac ?\{ ?(.*?) ?\} ?\{ ?((?:[^{}]|\{[^{}]*\})*?) ?\}", r"((\1)/(\2))", plain)
    plain = re.sub(r"\\sqrt\[3\]\{(\d+)\}", r"((\1)^(1/3))", plain)
    plain = re.sub(r"\\sqrt ?\{(\d+)\}", r" sqrt(\1)", plain)
    plain = re.sub(r"\\(sin|cos)\^2\((\w+)\)", r" (\1(\2))^2 ", plain)
    plain = re.sub(r"\\ln (\d+)", r" log(\1)", plain).replace("\\ln", " log")
    plain = (
        plain.replace("\\cdot", "*").replace("\\times", "*").replace("\\pi", " pi ").replace("{", "(").replace("}", ")")
    )
    plain = re.sub(r"\\(sin|cos) ?", r" \1", plain)
    if re.search(r"[\\=_]|e\^", plain):
        return None
    plain = " * ".join([plain]) if len(plain) > 3 and "sqrt" in plain else plain
    plain = re.sub(r"(?<![a-z])([a-z]{2,3})(?![a-z(])", lambda m: m[0] if m[0] == "pi" else "*".join(m[0]), plain)
    plain = re.sub(r"(?<=[\d)])(?=[a-z])", "*", plain)
    expression = parse_expr(plain, local_dict=dict(LETTERS), transformations=TRANSFORMATIONS)
    places = {symbol: sympy.Rational(3 + ord(symbol.name) % 17, 7) for symbol in expression.free_symbols}
    return complex(expression.evalf(25, subs=places))


@pytest.mark.parametrize("generator", EVALUABLE, ids=lambda generator: generator.__name__)
def test_forms_have_the_value_of_the_gold_and_near_misses_have_not(generator):
    judged = 0
    for number in range(6):
        specimen = generator(python_rng(3, "test", generator.__name__, number))
        gold = value(specimen.gold)
        assert gold is not None, specimen.gold
        for form, text in specimen.same.items():
            found = value(text)
            assert found is None or abs(found - gold) <= 1e-9 * abs(gold), (specimen.gold, form, text)
            judged += found is not None
        for miss, text in specimen.different.items():
            found = value(text) if "\\pm" not in text else None
            assert found is None or abs(found - gold) > 1e-9 * abs(gold), (specimen.gold, miss, text)
            judged += found is not None
    assert judged > 30


def test_no_near_miss_is_written_like_a_right_form():
    for generator, number in itertools.product(_GENERATORS, range(60)):
        specimen = generator(python_rng(7, "test", generator.__name__, number))
        right = {re.sub(r"\s|\$", "", text) for text in (specimen.gold, *specimen.same.values())}
        wrong = {re.sub(r"\s|\$", "", text) for text in specimen.different.values()}
        assert not right & wrong, (specimen.gold, right & wrong)


def test_there_are_thousands_of_cases_and_the_seed_alone_decides_which():
    first = make_cases("math", 0)
    assert len(first) >= 2000
    assert make_cases("math", 0) == first
    assert make_cases("math", 1) != first
    assert (
        sum(len(make_cases(kind)) for kind in ("choice", "exact", "code", "format", "language_en", "language_zh"))
        > 1000
    )
