r"""Plain numbers as exact fractions: separators, decimals, fractions, mixed numbers, powers of ten, percent, units.

Conventions, each the one that the public data sets and their graders share:

- ``10\%`` equals ``0.1``, its value, and ``10``, because "what percent" is answered both ways; ``0.1`` is not ``10``.
  An answer in mixed numbers, ``4 4/9\%``, has its value alone.
- A unit is no part of the number: ``10`` equals ``10 cm``. Two known units must agree: ``10 cm`` is not ``10 m``. A
  lone letter that is not set as text may be a variable: ``10m`` is not ``10``.
- Exact numbers are compared exactly; a decimal may differ by ``TOLERANCE``, which float noise and six places need.
- A gold of four significant digits and more equals the exact number that it abbreviates: ``0.3333`` and ``1/3``.
- A comma separates thousands in groups of three; ``1,22`` equals ``1.22`` only beside a decimal point.
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from r1flow.components.rewards.mathematics.units import canonical_unit, is_unit

TOLERANCE = Fraction(1, 10**6)  # between decimals: absolute, and relative below 1
SIGNIFICANT = 4  # digits from which a decimal gold may stand for an exact number
MAX_DIGITS = 500
MAX_POWER_OF_TEN = 400

_INT = r"\d{1,3}(?:,\d{3})+|\d{1,3}(?: \d{3})+|\d+"
_BODY = re.compile(
    rf"(?P<sign>[+-]?) ?(?:"
    rf"10\^(?P<ten>\d+|\{{[+-]?\d+\}})"
    rf"|(?:(?P<whole>{_INT})(?: |(?=\\)))?(?:\\frac\{{(?P<n1>-?\d+)\}}\{{(?P<d1>\d+)\}}|(?P<n2>\d+)/(?P<d2>\d+))"
    rf"|(?P<int>{_INT})?(?:(?P<point>\.)(?P<places>\d*))?"
    rf"(?: ?(?:\\times|\\cdot|\*|(?= ?10\^[{{\d-])) ?10\^(?P<exp>\d+|\{{[+-]?\d+\}}|-\d+)|[eE](?P<e>[+-]?\d+))?)",
    re.ASCII,
)
_REPEATING = re.compile(r"([+-]?)(\d{0,40})\.(\d{0,40})\\overline ?\{ ?(\d{1,40}) ?\}", re.ASCII)
_PERCENT = re.compile(r" ?(?:\\?%|\\text\{ ?(?:\\?%|percent|pct) ?\}|percent(?:age)?|pct)\.?", re.IGNORECASE)
_SCALES = {"hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_SCALE = re.compile(r" ?(?:\\text\{ ?)?(hundred|thousand|million|billion|trillion)(?:\}|(?= )|$)", re.IGNORECASE)
_COMMA = re.compile(r"([+-]?\d+),(\d{1,2}|\d{4,})", re.ASCII)
_BRACKETS = re.compile(r"\(([^()\[\],]*)\)|\[([^()\[\],]*)\]|\{([^{},]*)\}")
_UNITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]


@dataclass(frozen=True)
class Number:
    """``digits``: significant digits of a decimal, 0 for an exact number; ``unit`` is canonical, empty without one.

    ``mixed``: a whole number and a fraction.
    """

    value: Fraction
    digits: int
    percent: bool
    unit: str
    mixed: bool = False


@lru_cache(maxsize=8192)
def read(text: str) -> Number | None:
    """The number that a normal form is, and nothing else; None for everything else."""
    if inner := _BRACKETS.fullmatch(text):
        text = next(part for part in inner.groups() if part is not None).strip()
    if text.lower() in _UNITS or (text[:6] == "\\text{" and text[6:-1].strip().lower() in _UNITS):
        return Number(
            Fraction(_UNITS.index(text.removeprefix("\\text{").removesuffix("}").strip().lower())), 0, False, ""
        )
    if repeating := _REPEATING.fullmatch(text):
        return Number(_repeating(repeating), 0, False, "")
    body = _BODY.match(text)
    if body is None or not any(character.isdigit() for character in body[0]) or len(body[0]) > MAX_DIGITS:
        return None
    value, digits = _value(body)
    if value is None:
        return None
    rest = text[body.end() :]
    if scale := _SCALE.match(rest):
        value, rest = value * _SCALES[scale[1].lower()], rest[scale.end() :].strip()
    if percent := _PERCENT.fullmatch(rest):
        return Number(value, digits, bool(percent), "", body["whole"] is not None)
    if rest.strip() and not is_unit(rest):
        return None
    return Number(value, digits, False, canonical_unit(rest), body["whole"] is not None)


def same(gold: Number, answer: Number) -> bool:
    """Whether ``answer`` says the number ``gold``, by the conventions above."""
    if gold.unit and answer.unit and gold.unit != answer.unit:
        return False
    if gold.percent == answer.percent:
        return _close(gold.value, answer.value, gold.digits, answer.digits)
    values = [(gold.value / 100, answer.value) if gold.percent else (gold.value, answer.value / 100)]
    if not (answer.percent and answer.mixed):
        values.append((gold.value, answer.value))
    return any(_close(a, b, gold.digits, answer.digits) for a, b in values)


def decimal_comma(gold: str, answer: str) -> bool | None:
    """The verdict when one side writes a decimal comma and the other a point; None in every other case."""
    for first, second in ((gold, answer), (answer, gold)):
        comma = _COMMA.fullmatch(first.split(" ")[0])
        other = read(second)
        if comma and other is not None and other.digits:
            return Fraction(f"{comma[1]}.{comma[2]}") == other.value
    return None


def abbreviates(gold: Number, value: float) -> bool:
    """Whether the decimal ``gold`` is ``value``, an irrational or endless number, rounded or cut off."""
    if gold.digits < SIGNIFICANT or gold.value.denominator == 1:
        return False
    places = len(str(gold.value.denominator)) + 2
    unit = next(Fraction(1, 10**n) for n in range(places * 4) if (gold.value * 10**n).denominator == 1)
    return abs(float(gold.value) - value) < float(unit) * 0.9999


def _close(gold: Fraction, answer: Fraction, gold_digits: int, answer_digits: int) -> bool:
    if gold == answer or not (gold_digits or answer_digits) or (gold.denominator == 1 and answer.denominator == 1):
        return gold == answer
    if abs(gold - answer) <= TOLERANCE * min(Fraction(1), max(abs(gold), abs(answer))):
        return True
    return not answer_digits and _endless(answer) and abbreviates(Number(gold, gold_digits, False, ""), float(answer))


def _endless(value: Fraction) -> bool:
    rest = value.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    return rest != 1


def _repeating(found: re.Match[str]) -> Fraction:
    """``0.1\\overline{6}`` is one sixth."""
    sign, whole, first, period = found.groups()
    value = Fraction(f"{whole or '0'}.{first or '0'}") + Fraction(
        int(period), (10 ** len(period) - 1) * 10 ** len(first)
    )
    return -value if sign == "-" else value


def _value(body: re.Match[str]) -> tuple[Fraction | None, int]:
    sign = -1 if body["sign"] == "-" else 1
    if (denominator := body["d1"] or body["d2"]) is not None:
        numerator, whole = int(body["n1"] or body["n2"]), body["whole"]
        if int(denominator) == 0 or (whole is not None and not 0 <= numerator < int(denominator)):
            return None, 0
        return sign * (_int(whole or "0") + Fraction(numerator, int(denominator))), 0
    if body["ten"]:
        power = int(body["ten"].strip("{}"))
        return (None, 0) if abs(power) > MAX_POWER_OF_TEN else (sign * Fraction(10) ** power, 0)
    if not (body["int"] or body["places"]):
        return None, 0
    value = Fraction(f"{_int(body['int'] or '0')}.{body['places'] or '0'}")
    digits = len((body["int"] or "").replace(",", "").replace(" ", "").lstrip("0") + (body["places"] or ""))
    power = int((body["exp"] or body["e"] or "0").strip("{}"))
    if abs(power) > MAX_POWER_OF_TEN:
        return None, 0
    return sign * value * Fraction(10) ** power, digits if body["point"] else 0


def _int(text: str) -> int:
    return int(text.replace(",", "").replace(" ", ""))
