"""The verdict of a computer algebra system (math-verify, sympy) on two expressions. May be slow, may hang.

math-verify's own time-outs are signals, which only work in the main thread; they are off, and what calls this runs in
a process that can be killed. Units are not left to it: it takes ``3+2t`` for three and two tons.
"""

import logging
import re
from functools import cache, lru_cache
from typing import Any

from r1flow.components.rewards.mathematics import structure
from r1flow.components.rewards.mathematics.guards import why_too_costly
from r1flow.components.rewards.mathematics.intervals import as_interval
from r1flow.components.rewards.mathematics.number import TOLERANCE, abbreviates, read
from r1flow.components.rewards.mathematics.words import is_words

DIGITS = 50  # of a value
SAME = 1e-35  # between values, relative and absolute
LARGE = 1e12
SCALES = (1, 1, 2, 7, 31, 3, 11)  # of the points at which expressions with letters are compared

_BARE_UNIT = re.compile(r"[\d.][A-Za-z]")  # between expressions with letters it is a product
_DEGREES = re.compile(r"(\\(?:sin|cos|tan|cot|sec|csc)) ?[({]? ?(\d+(?:\.\d+)?) ?\^\\circ ?[)}]?")
_DECORATION = re.compile(r"(?<=[_^{])\\(odot|oplus|star|ast|perp|parallel|max|min|mathrm|rm)(?![A-Za-z])")
_TIMES_BRACKET = re.compile(r"(?<![\\A-Za-z])i(?=\()")
_SUBSCRIPTED = re.compile(r"(?:\\[A-Za-z]+|[A-Za-z]|\d+)_(?:\w|\{[^{}]*\})")
_DOTS = re.compile(r"\\[lcv]?dots(?![A-Za-z])|\.\.")
_CLOSED_INFINITY = re.compile(r"\\infty ?\]|\[ ?-\\infty")
_IMAGINARY = re.compile(r"(?<![\\A-Za-z])i(?![A-Za-z])|\\[ij]math|\\(?:det|arg|Re|Im)(?![A-Za-z])")


class UnreadableGold(Exception):
    """It is the gold answer that cannot be read: nothing can be said about an answer."""


@lru_cache(maxsize=4096)
def algebra(gold: str, answer: str) -> bool | None:
    """Whether two normal forms are mathematically equal; None when ``answer`` cannot be read or must not be.

    Raises:
        UnreadableGold: ``gold`` is no expression that can be read.
        MemoryError: as it comes; what it means is for the caller's process to say.
    """
    if why_too_costly(answer, gold):
        return None
    if gold.count("'") != answer.count("'") or why_too_costly(gold, gold):
        return False
    if _CLOSED_INFINITY.search(answer) and not _CLOSED_INFINITY.search(gold):
        return False
    if bool(_DOTS.search(gold)) != bool(_DOTS.search(answer)) or _other_subscripts(gold, answer):
        return False
    complex_numbers = _IMAGINARY.search(gold) is not None or _IMAGINARY.search(answer) is not None
    wanted = _parse(gold, complex_numbers)
    if wanted is None:
        raise UnreadableGold(gold)
    parsed = _parse(answer, complex_numbers)
    if parsed is None:
        return None
    if any(getattr(side, "is_Boolean", False) and not side.free_symbols for side in (wanted, parsed)):
        return False  # "1 = 2" is true or false and no value
    return _verify(gold, wanted, parsed)


def readable(gold: str) -> bool:
    """Whether a gold, or every part of it, is an expression, whatever it is compared with."""
    if read(gold) is not None or is_words(gold) or _parse(gold, False) is not None:
        return True
    found = structure.parts(as_interval(gold) or gold)
    if found is not None and all(len(item) < len(gold) for item in found.items):
        return all(readable(item) for item in found.items)
    value = structure.value_of(gold)
    return 0 < len(value) < len(gold) and readable(value)


def _other_subscripts(gold: str, answer: str) -> bool:
    """Bases of numerals, and names that differ in case alone: the grammar would not tell them apart."""
    first, second = (
        {name.replace("{", "").replace("}", "") for name in _SUBSCRIPTED.findall(t)} for t in (gold, answer)
    )
    if any(name[0].isdigit() for name in first | second):
        return first != second
    return first != second and {name.lower() for name in first} == {name.lower() for name in second}


@cache
def _libraries() -> tuple[Any, Any]:
    import latex2sympy2_extended  # type: ignore[import-untyped]
    import math_verify

    # It warns that its time-outs are off, which is intended here.
    logging.getLogger("math_verify").setLevel(logging.ERROR)
    return latex2sympy2_extended, math_verify


@lru_cache(maxsize=4096)
def _parse(text: str, complex_numbers: bool) -> Any:
    """A sympy object, or None."""
    import sympy

    if (number := read(text)) is not None and not number.percent and not _BARE_UNIT.search(text):
        exact = sympy.Rational(number.value.numerator, number.value.denominator)
        return sympy.Float(exact, 30) if number.digits and number.value.denominator != 1 else exact
    library, _ = _libraries()
    text = _DEGREES.sub(r"\1(\\frac{\2\\pi}{180})", text)
    if complex_numbers:
        text = _TIMES_BRACKET.sub(r"i\\cdot ", text)
    config = library.NormalizationConfig(units=False, malformed_operators=True, nits=True, boxed="none")
    text = _DECORATION.sub(r"\1", text)
    cases = library.latex2sympy2.ConversionConfig(lowercase_symbols=False)
    try:
        plain = library.normalize_latex(text, config)
        parsed = library.latex2sympy(
            plain, is_real=not complex_numbers, normalization_config=None, conversion_config=cases
        )
        if complex_numbers and isinstance(parsed, sympy.Basic):
            return parsed.subs({letter: sympy.I for letter in parsed.free_symbols if letter.name == "i"})
        return parsed
    except MemoryError:
        raise
    except Exception:  # the LaTeX grammar and sympy raise all kinds of errors on hostile text; to us it is no answer
        return None


def _verify(gold_text: str, gold: Any, answer: Any) -> bool | None:
    try:
        if gold == answer and getattr(gold, "is_finite", None) is not False:
            return True
        if (by_value := _equal_values(gold_text, gold, answer)) is not None:
            return by_value
        if (by_equation := _equal_equations(gold, answer)) is not None:
            return by_equation
        return bool(_libraries()[1].verify(gold, answer, timeout_seconds=None))
    except MemoryError:
        raise
    except Exception:  # as in _parse: what cannot be compared is no answer
        return None


def _equal_equations(gold: Any, answer: Any) -> bool | None:
    """The verdict on two equations that are one but for sign, or of which the gold has no solution; else None.

    math-verify compares solutions, so that any two equations without one would be equal to it.
    """
    import sympy

    if not (isinstance(gold, sympy.Eq) and isinstance(answer, sympy.Eq)):
        return None
    first, second = gold.lhs - gold.rhs, answer.lhs - answer.rhs
    if any(_equal_values("", first, other) for other in (second, -second)):
        return True
    if not (gold.free_symbols and answer.free_symbols):
        return False
    try:
        solutions = sympy.solve(first)
    except NotImplementedError:  # sympy cannot solve it; math-verify's other rules decide
        return None
    return None if solutions else False


def _equal_values(gold_text: str, gold: Any, answer: Any) -> bool | None:
    """The verdict on two sympy expressions by their values, where values decide; None leaves it to math-verify.

    It comes first because math-verify simplifies whatever it does not see to be equal, which may take minutes, and
    because it rounds decimals to six places, so that 1e-7 would equal 2e-7. Letters stand for fixed positive numbers:
    expressions that differ there differ. Lone letters and percentages are left to math-verify.
    """
    import sympy

    pair = (gold, answer)
    if not all(isinstance(value, sympy.Expr) and not value.is_Symbol for value in pair):
        return None
    if any(value.has(sympy.UnevaluatedExpr, sympy.Sum, sympy.Product, sympy.Integral) for value in pair):
        return None
    names = [{letter.name for letter in value.free_symbols} for value in pair]
    if bool(names[0]) != bool(names[1]):
        return False
    letters = sorted(names[0] | names[1])
    if letters:
        pair = gold, answer = _exactly(gold), _exactly(answer)
    a, b = (_value(value, letters, 0) for value in pair)
    if a is None or b is None:
        return None
    if not letters and any(value.has(sympy.Float) for value in pair):
        if abs(a - b) <= float(TOLERANCE) * min(1.0, max(abs(a), abs(b))):
            return True
        number = read(gold_text)
        if number is None or answer.has(sympy.Float) or sympy.im(b):
            return False
        return abbreviates(number, float(sympy.re(b)))
    if not _near(a, b):
        return False
    exact: list[Any] = [] if letters else [value.doit() for value in pair]
    if exact and all(value.is_Rational for value in exact):
        return bool(exact[0] == exact[1])
    if max(abs(a), abs(b)) > LARGE:
        return None  # digits beyond those compared may differ
    return _equal_elsewhere(gold, answer, letters) if letters else True


def _equal_elsewhere(gold: Any, answer: Any, letters: list[str]) -> bool | None:
    """True when the two also agree at points of either sign, wherever both are real: an identity."""
    import sympy

    steps = (sympy.floor, sympy.ceiling, sympy.Mod, sympy.sign, sympy.Piecewise)
    if any(value.has(*steps) for value in (gold, answer)):
        return None
    for point in range(1, len(SCALES)):
        a, b = (_value(value, letters, point) for value in (gold, answer))
        if a is None or b is None:
            return None
        if not (sympy.im(a) or sympy.im(b)) and not _near(a, b):
            return None
    return True


def _exactly(expression: Any) -> Any:
    """With its decimals as the fractions that they are written as."""
    import sympy

    return expression.xreplace({number: sympy.Rational(str(number)) for number in expression.atoms(sympy.Float)})


def _near(a: Any, b: Any) -> bool:
    return bool(abs(a - b) <= SAME * max(abs(a), abs(b)) or abs(a - b) <= SAME)


def _value(expression: Any, letters: list[str], point: int) -> Any:
    """At the point of that number; point 0 has positive coordinates. None where there is no finite value."""
    import sympy

    places = {}
    for letter in expression.free_symbols:
        place = letters.index(letter.name) + 1
        fraction = sympy.Rational((618033 * place + 414213 * point + 302775 * place * point) % 999983 + 1, 999983)
        sign = -1 if point and (point + place) % 2 else 1
        places[letter] = sign * SCALES[point] * (fraction + sympy.Rational(1, 2))
    try:
        value = expression.subs(places).evalf(DIGITS)
    except (TypeError, ValueError, OverflowError, ZeroDivisionError):  # no value, an unknown function for instance
        return None
    return value if value.is_number and value.is_finite and value.is_complex else None
