r"""Expressions of numbers, letters, roots and the four operations: equal or not, in bounded time and without sympy.

Both sides are evaluated at fixed points: exactly, as fractions, where there is no root (two rational functions of the
sizes admitted here that agree at four points of six digits are the same, Schwartz-Zippel), and with sixty digits where
there is one. ``e`` and ``\pi`` count as letters: they are transcendental. Whatever is not plain is left to algebra:
functions, decimals that differ, ``i``, chained and long exponents, letters under a root, names of two letters.
"""

import re
from dataclasses import dataclass
from decimal import Context, Decimal, DecimalException
from fractions import Fraction
from functools import lru_cache
from zlib import crc32

MAX_CHARS = 400
MAX_DEPTH = 8
MAX_BITS = 20_000  # of a numerator or denominator
MAX_EXPONENT = 5000
MAX_SYMBOLIC_EXPONENT = 30
POINTS = 4
SAME = Decimal("1e-35")  # relative, between values with a root
FAR = Decimal("0.01")  # relative, between numbers that no rounding makes equal
RANGE = Decimal("1e12")  # roots of larger numbers, and their differences, are left to algebra

Value = Fraction | Decimal

_CONTEXT = Context(prec=60)
_GREEK = (
    "alpha|beta|gamma|delta|epsilon|varepsilon|zeta|eta|theta|kappa|lambda|mu|nu|xi|pi|rho|sigma|tau|phi|varphi|chi"
    "|psi|omega|Gamma|Delta|Theta|Lambda|Phi|Psi|Omega"
)
_TOKEN = re.compile(
    rf" ?(?:(?P<number>\d+(?:\.\d+)?)|(?P<name>(?:[A-Za-z]|\\(?:{_GREEK})(?![A-Za-z]))(?:_(?:\w|\{{\w+\}}))?)"
    r"|(?P<op>\\(?:cdot|times)(?![A-Za-z])|\\(?:frac|sqrt)(?![A-Za-z])|[-+*/^(){}\[\]=]))"
)
_NOT_PLAIN = re.compile(
    r"(?<!\\)[A-Za-z]{4,}|(?<![\\A-Za-z])(?:sin|cos|tan|cot|sec|csc|log|ln|exp|max|min|gcd|lcm|mod|inf|det|arg|lim|pi|or)"
    r"(?![A-Za-z])|(?<![\\A-Za-z])[fghFGH](?:_\w)?\(|(?<![\\A-Za-z])i(?![A-Za-z])|\d[.,_ ]\d{3}(?!\d).*,|\d \d|\d ?\\frac|\d_"
)
_LONE_NAME = re.compile(rf"[A-Za-z]|\\(?:{_GREEK})")


class _Declined(Exception):
    """The text holds more than is decided here."""


@dataclass
class _Reader:
    tokens: list[tuple[str, str]]
    point: int
    position: int = 0
    depth: int = 0

    def next_is(self, *wanted: str) -> bool:
        return self.position < len(self.tokens) and self.tokens[self.position][1] in wanted

    def take(self) -> tuple[str, str]:
        if self.position >= len(self.tokens):
            raise _Declined
        self.position += 1
        return self.tokens[self.position - 1]

    def expect(self, wanted: str) -> None:
        if self.take()[1] != wanted:
            raise _Declined

    def sum(self) -> Value:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise _Declined
        sign = -1 if self.next_is("-") else 1
        if self.next_is("-", "+"):
            self.take()
        total = _times(Fraction(sign), self.product())
        while self.next_is("+", "-"):
            sign = -1 if self.take()[1] == "-" else 1
            total = _plus(total, _times(Fraction(sign), self.product()))
        self.depth -= 1
        return total

    def product(self) -> Value:
        total = self.power()
        while self.position < len(self.tokens):
            kind, text = self.tokens[self.position]
            if text in ("*", "\\cdot", "\\times"):
                self.take()
                total = _times(total, self.power())
            elif text == "/":
                self.take()
                total = _times(total, _inverse(self.power()))
                if self.starts_factor():
                    raise _Declined  # 1/2x is read in two ways
            elif self.starts_factor() and kind != "number":
                total = _times(total, self.power())
            else:
                break
        return total

    def starts_factor(self) -> bool:
        if self.position >= len(self.tokens):
            return False
        kind, text = self.tokens[self.position]
        return kind in ("number", "name") or text in ("(", "{", "\\frac", "\\sqrt")

    def power(self) -> Value:
        start = self.position
        base = self.atom()
        if not self.next_is("^"):
            return base
        self.take()
        symbolic = any(kind == "name" for kind, _ in self.tokens[start : self.position])
        exponent = self.exponent()
        if self.next_is("^"):
            raise _Declined
        return _power(base, exponent, MAX_SYMBOLIC_EXPONENT if symbolic else MAX_EXPONENT, symbolic)

    def exponent(self) -> Fraction:
        kind, text = self.take()
        if kind == "number" and len(text) == 1:
            return Fraction(text)
        if text not in ("{", "("):
            raise _Declined
        start = self.position
        value = self.sum()
        if any(kind == "name" or text == "^" for kind, text in self.tokens[start : self.position]):
            raise _Declined
        self.expect({"{": "}", "(": ")"}[text])
        if not isinstance(value, Fraction):
            raise _Declined
        return value

    def group(self) -> Value:
        self.expect("{")
        value = self.sum()
        self.expect("}")
        return value

    def atom(self) -> Value:
        kind, text = self.take()
        if kind == "number":
            return Fraction(text)
        if kind == "name":
            seed = f"{text.replace('{', '').replace('}', '').strip()} {self.point}".encode()
            return Fraction(crc32(seed) % 899_981 + 100_003) * (-1 if (crc32(seed) >> 8) % 2 and self.point else 1)
        if text in ("(", "{"):
            value = self.sum()
            self.expect({"(": ")", "{": "}"}[text])
            return value
        if text == "\\frac":
            return _times(self.group(), _inverse(self.group()))
        if text == "\\sqrt":
            return self.root()
        raise _Declined

    def root(self) -> Value:
        degree = 2
        if self.next_is("["):
            self.take()
            kind, text = self.take()
            if kind != "number" or not text.isdigit() or not 2 <= int(text[:4]) <= 30:
                raise _Declined
            degree = int(text)
            self.expect("]")
        start = self.position
        radicand = self.group()
        if any(kind == "name" for kind, _ in self.tokens[start : self.position]):
            raise _Declined
        return _power(radicand, Fraction(1, degree), MAX_EXPONENT, False)


def same_value(gold: str, answer: str) -> bool | None:
    r"""The verdict on two normal forms, expressions or equations; None for whatever is not plain.

    >>> same_value("(x-3)(x+3)", "x^2-9"), same_value("5\\sqrt{3}", "\\sqrt{74}"), same_value("\\sin x", "x")
    (True, False, None)
    """
    if gold.count("=") != answer.count("=") or gold.count("=") > 1:
        return None
    if _LONE_NAME.fullmatch(gold) or _LONE_NAME.fullmatch(answer):
        return None
    first, second = _values(gold), _values(answer)
    if first is None or second is None:
        return None
    if "=" in gold:
        return _same_equation(first, second)
    if len(first) == len(second) and all(_near(a, b) for a, b in zip(first, second, strict=True)):
        return True
    if "." not in gold and "." not in answer:
        return False
    # A decimal may stand for another number; how closely is not decided here.
    far = len(first) == len(second) == 1 and abs(_decimal(first[0]) - _decimal(second[0])) > FAR * max(
        abs(_decimal(first[0])), abs(_decimal(second[0]))
    )
    return False if far else None


def _same_equation(first: tuple[Value, ...], second: tuple[Value, ...]) -> bool | None:
    """True where one is the other times a constant, False where they only differ by one: they share no solution."""
    pairs = list(zip(first, second, strict=False))
    exact = [(a, b) for a, b in pairs if isinstance(a, Fraction) and isinstance(b, Fraction) and a and b]
    if len(first) != len(second) or len(exact) != len(pairs) or len(set(first)) == 1:
        return None
    if len({a / b for a, b in exact}) == 1:
        return True
    return False if len({a - b for a, b in exact}) == 1 or len({a + b for a, b in exact}) == 1 else None


@lru_cache(maxsize=8192)
def _values(text: str) -> tuple[Value, ...] | None:
    """At every point; of an equation the difference of its sides."""
    if len(text) > MAX_CHARS or _NOT_PLAIN.search(text):
        return None
    tokens: list[tuple[str, str]] = []
    position = 0
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None:
            return None
        tokens.append((str(found.lastgroup), found[str(found.lastgroup)]))
        position = found.end()
    points = POINTS if any(kind == "name" for kind, _ in tokens) else 1
    try:
        return tuple(_evaluate(tokens, point) for point in range(points))
    except (_Declined, ZeroDivisionError, DecimalException):
        return None


def _evaluate(tokens: list[tuple[str, str]], point: int) -> Value:
    reader = _Reader(tokens, point)
    value = reader.sum()
    if reader.next_is("="):
        reader.take()
        reader.depth = 0
        value = _plus(value, _times(Fraction(-1), reader.sum()))
    if reader.position < len(tokens):
        raise _Declined
    return value


def _plus(a: Value, b: Value) -> Value:
    if isinstance(a, Fraction) and isinstance(b, Fraction):
        return _bounded(a + b)
    return _bounded(_CONTEXT.add(_decimal(a), _decimal(b)))


def _times(a: Value, b: Value) -> Value:
    if isinstance(a, Fraction) and isinstance(b, Fraction):
        return _bounded(a * b)
    return _bounded(_CONTEXT.multiply(_decimal(a), _decimal(b)))


def _inverse(value: Value) -> Value:
    if isinstance(value, Fraction):
        return 1 / value
    if abs(value) < 1 / RANGE:
        raise _Declined
    return _CONTEXT.divide(Decimal(1), value)


def _power(base: Value, exponent: Fraction, limit: int, symbolic: bool) -> Value:
    if exponent.denominator == 1 and isinstance(base, Fraction):
        bits = max(base.numerator.bit_length(), base.denominator.bit_length())
        if abs(exponent) > limit or bits * abs(exponent) > MAX_BITS:
            raise _Declined
        if base == 0 and exponent <= 0:
            raise _Declined
        return base**exponent.numerator
    if abs(exponent) > MAX_SYMBOLIC_EXPONENT or symbolic or exponent.denominator > 100:
        raise _Declined
    if base <= 0 and exponent.denominator != 1:
        raise _Declined
    if exponent.denominator == 1:
        return _bounded(_CONTEXT.power(_decimal(base), exponent.numerator))
    if isinstance(base, Fraction) and (exact := _exact_root(base, exponent.denominator)) is not None:
        return exact**exponent.numerator
    return _bounded(_CONTEXT.power(_decimal(base), _decimal(exponent)))


def _exact_root(base: Fraction, degree: int) -> Fraction | None:
    if max(base.numerator, base.denominator) > RANGE:
        raise _Declined
    root = Fraction(round(base.numerator ** (1 / degree)), round(base.denominator ** (1 / degree)) or 1)
    return root if root**degree == base else None


def _decimal(value: Value) -> Decimal:
    if isinstance(value, Decimal):
        return value
    return _CONTEXT.divide(Decimal(value.numerator), Decimal(value.denominator))


def _bounded(value: Value) -> Value:
    if isinstance(value, Fraction):
        if value.numerator.bit_length() > MAX_BITS or value.denominator.bit_length() > MAX_BITS:
            raise _Declined
    elif value and not 1 / RANGE <= abs(value) <= RANGE:
        raise _Declined  # a difference that cancels has no digits left
    return value


def _near(a: Value, b: Value) -> bool:
    if isinstance(a, Fraction) and isinstance(b, Fraction):
        return a == b
    first, second = _decimal(a), _decimal(b)
    return abs(first - second) <= SAME * max(abs(first), abs(second))
