"""Are two mathematical answers equal? Exact arithmetic on plain numbers first, math-verify for the rest.

Gold and answer are not interchangeable: math-verify follows the gold's form (``x=1`` and ``1``, lists and sets).
"""

import logging
import re
from fractions import Fraction
from functools import cache, lru_cache
from typing import Any

from components.rewards.guards import why_too_costly

TOLERANCE = Fraction(1, 10**6)  # between decimals: absolute, and relative below 1
CERTAINLY_DIFFERENT = 1e-6  # relative, between values; far above the error of float arithmetic

_JOINED = re.compile(r"\\!\s*|\\left|\\right|\\?\$")
_SPACED = re.compile(r"\\[,;: ]|[~\s]+")
_INTEGER = r"\d{1,3}(?:,\d{3})+|\d{1,3}(?: \d{3})+|\d+"
_NUMBER = re.compile(rf"([+-]?) ?({_INTEGER}|)(?:\.(\d*))?", re.ASCII)
_FRACTION = re.compile(
    r"([+-]?) ?(?:(?:(\d+) )?(\d+) ?/ ?(\d+)|\\[dtc]?frac ?(\d)(\d)|\\[dtc]?frac ?\{ ?(-?\d+) ?\} ?\{ ?(-?\d+) ?\})",
    re.ASCII,
)
_NOT_WORDS = re.compile(r"\\(?:begin|end|text\w*|math\w+|mbox)\s*\{[^{}]*\}|\\[A-Za-z]+")
_WORD = re.compile(r"[^\W\d_]{2,}")
_DELIMITED = re.compile(r"\\\[(.*)\\\]|\\\((.*)\\\)|\$\$([^$]*)\$\$|\$([^$]*)\$", re.DOTALL)
_OR = r"(?:\s*,\s*|\s+|\s*\\text\w*\s*\{\s*)or(?![A-Za-z])"
_ALTERNATIVES = re.compile(rf"(?:[\d)}}\]$]|(?<![A-Za-z])[A-Za-z]){_OR}")
_VALUE = r"\$?-?\d[\d.,/]*\$?"
_ENDS_IN_LIST = re.compile(rf"(?:is|:|=)\s*{_VALUE}\s*(?:[,;]|,?\s*and)\s+{_VALUE}\s*$")
_MIXED_NUMBER = re.compile(r"\d \d+/\d")


def equal(gold: str, answer: str, *, marked: bool = True) -> bool | None:
    """Whether ``answer`` says what ``gold`` says; None when it cannot be parsed. ``gold`` must be ``usable``.

    ``marked``: the answer was set apart (a box, tags) and is nothing but an answer; otherwise it may stand in prose.
    """
    if not answer.strip() or why_too_costly(answer, gold):
        return None
    if (exact := _equal_numbers(gold, answer)) is not None:
        return exact
    if _plain(gold) == _plain(answer):
        return True
    if _ALTERNATIVES.search(answer) and not _ALTERNATIVES.search(gold):
        return False  # "4 or 5": two guesses are no answer
    if not marked and _is_prose(answer) and (_ENDS_IN_LIST.search(answer) or _MIXED_NUMBER.search(answer)):
        return None  # of "the answer is 4, 5" or "is 4 4/9" math-verify would read one number
    parsed = _parse(answer, marked)
    if not parsed:
        return None
    return _verify(_parse_gold(gold), parsed)


def usable(gold: str) -> bool:
    """Whether answers can be compared with ``gold`` at all."""
    return bool(gold.strip()) and not why_too_costly(gold, gold) and bool(_parse_gold(gold))


def _equal_numbers(gold: str, answer: str) -> bool | None:
    """The verdict on two plain numbers; None when one of them is anything else."""
    first, second = _number(gold), _number(answer)
    if first is None or second is None:
        return None
    (a, a_decimal), (b, b_decimal) = first, second
    if a == b or not (a_decimal or b_decimal) or (a.denominator == 1 and b.denominator == 1):
        return a == b
    return abs(a - b) <= TOLERANCE * min(Fraction(1), max(abs(a), abs(b)))


@lru_cache(maxsize=4096)
def _number(text: str) -> tuple[Fraction, bool] | None:
    """An integer (with or without separators), decimal, fraction or ``4 4/9``, and whether it is a decimal."""
    plain = _plain(text)
    if fraction := _FRACTION.fullmatch(plain):
        sign, whole, *parts = fraction.groups()
        numerator, denominator = [int(part) for part in parts if part is not None]
        if denominator == 0 or (whole is not None and numerator >= denominator):
            return None
        value = int(whole or 0) + Fraction(numerator, denominator)
        return (-value if sign == "-" else value), False
    number = _NUMBER.fullmatch(plain)
    if number is None or not (number[2] or number[3]):
        return None
    digits = re.sub("[, ]", "", number[2]) or "0"
    return Fraction(f"{number[1]}{digits}.{number[3] or '0'}"), number[3] is not None


def _plain(text: str) -> str:
    """Without dollar signs, thin spaces, ``\\left`` and a full stop at the end; white space collapsed."""
    text = _JOINED.sub("", text.replace("\u2212", "-")).replace("{,}", ",")
    return _SPACED.sub(" ", text).strip().removesuffix(".").rstrip()


@cache
def _math_verify() -> Any:
    import math_verify

    # It warns that its time-outs are off, which is intended here: they are signals and raise in threads.
    logging.getLogger("math_verify").setLevel(logging.ERROR)
    return math_verify


@lru_cache(maxsize=4096)
def _parse_gold(gold: str) -> tuple[Any, ...]:
    number = _number(gold)
    if number is None:
        return tuple(_parse(gold, True))
    import sympy

    value, decimal = number
    exact = sympy.Rational(value.numerator, value.denominator)
    return (sympy.Float(exact) if decimal and value.denominator != 1 else exact,)


def _parse(text: str, marked: bool) -> list[Any]:
    """Sympy objects and, behind them, the text itself where math-verify gives it; empty when it finds nothing."""
    library = _math_verify()
    inner = _DELIMITED.fullmatch(text.strip())
    bare = next((part for part in inner.groups() if part is not None), text).strip() if inner else text.strip()
    try:
        if marked or not _is_prose(bare):
            found = library.parse(f"\\boxed{{{bare}}}", parsing_timeout=None)
            if any(not isinstance(item, str) for item in found):
                return list(found)
        return list(library.parse(text, parsing_timeout=None))
    except Exception:  # sympy and its LaTeX grammar raise all kinds of errors on hostile text; to us it is no answer
        return []


def _is_prose(text: str) -> bool:
    """Two words and more outside LaTeX, or mathematics set off inside a sentence."""
    return "$" in text or "\\(" in text or "\\[" in text or len(_WORD.findall(_NOT_WORDS.sub(" ", text))) > 1


def _verify(gold: tuple[Any, ...], answer: list[Any]) -> bool | None:
    try:
        if (by_value := _equal_values(gold[0], answer[0])) is not None:
            return by_value
        return bool(_math_verify().verify(list(gold), answer, timeout_seconds=None))
    except Exception:  # as in _parse: what cannot be compared is no answer
        return None


def _equal_values(gold: Any, answer: Any) -> bool | None:
    """The verdict on two sympy expressions by their values, where values decide; None leaves it to math-verify.

    It comes first because math-verify simplifies whatever it does not see to be equal, which may take minutes, and
    because it rounds decimals to six places, so that 1e-7 would equal 2e-7. Letters stand for fixed positive numbers:
    expressions that differ there differ. Lone letters and percentages are left to math-verify.
    """
    import sympy

    pair = (gold, answer)
    if not all(isinstance(value, sympy.Expr) and not value.is_Symbol for value in pair):
        return None
    if any(value.has(sympy.UnevaluatedExpr) for value in pair):
        return None
    letters = gold.free_symbols | answer.free_symbols
    if letters and not (gold.free_symbols and answer.free_symbols):
        return False
    names = sorted({letter.name for letter in letters})  # the same letter may come with other assumptions
    places = {letter: sympy.Float(0.5 + (0.618034 * (names.index(letter.name) + 1)) % 1) for letter in letters}
    try:
        a, b = (complex(value.evalf(15, subs=places)) for value in pair)
    except (TypeError, ValueError, OverflowError):  # no value as a float, an unknown function for instance
        return None
    if not letters and any(value.has(sympy.Float) for value in pair):
        return abs(a - b) <= float(TOLERANCE) * min(1.0, max(abs(a), abs(b)))
    return False if abs(a - b) > CERTAINLY_DIFFERENT * max(abs(a), abs(b)) else None
