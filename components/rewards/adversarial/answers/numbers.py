"""Integers, fractions, decimals, mixed numbers and powers of ten, in the ways people write them.

Every near miss is checked against the value as an exact fraction, so that none says the same by chance.
"""

import random
from collections.abc import Mapping
from fractions import Fraction
from math import gcd

from r1flow.components.rewards.adversarial.cases import Specimen

MINUS = "\u2212"


def frac(value: Fraction, command: str = "frac") -> str:
    """``\\frac{p}{q}`` with the sign in front."""
    return f"{'-' if value < 0 else ''}\\{command}{{{abs(value.numerator)}}}{{{value.denominator}}}"


def decimal(value: Fraction) -> str | None:
    """The decimal expansion where it ends within nine places, else None."""
    for places in range(1, 10):
        scaled = value * 10**places
        if scaled.denominator == 1:
            digits = f"{abs(scaled.numerator):0{places + 1}d}"
            return f"{'-' if value < 0 else ''}{digits[:-places]}.{digits[-places:]}"
    return None


def other_values(value: Fraction, near: Mapping[str, Fraction]) -> dict[str, str]:
    """Those near misses that differ from ``value``, as text."""
    return {
        name: str(miss.numerator) if miss.denominator == 1 else frac(miss)
        for name, miss in near.items()
        if miss != value
    }


def integer(rng: random.Random) -> Specimen:
    """An integer of up to seven digits."""
    n = rng.choice((1, 1, 1, -1)) * rng.choice(
        (rng.randint(2, 99), rng.randint(100, 9999), rng.randint(10_000, 9_999_999), 1000 * rng.randint(2, 900))
    )
    k = rng.randint(2, 6)
    digits = f"{abs(n)}"
    same = {
        "as it is": f"{n}",
        "decimal point": f"{n}.0",
        "decimals": f"{n}.00",
        "dollars": f"${n}$",
        "parentheses": f"\\( {n} \\)",
        "quotient": f"\\frac{{{k * n}}}{{{k}}}",
        "slash": f"{k * n}/{k}",
        "equation": f"x = {n}",
        "bold": f"\\mathbf{{{n}}}",
        "spaces": f"  {n} ",
        "thin space": f"{n}\\,",
    }
    if n < 0:
        same["minus sign"] = f"{MINUS}{digits}"
    if abs(n) >= 1000:
        separated = f"{n:,}"
        same |= {
            "commas": separated,
            "latex commas": separated.replace(",", "{,}"),
            "tight commas": separated.replace(",", ",\\!"),
            "thin separators": separated.replace(",", "\\,"),
        }
    if n % 1000 == 0:
        same["power of ten"] = f"{n // 1000} \\times 10^{{3}}"
    near = {"one more": n + 1, "one less": n - 1, "sign": -n, "ten times": 10 * n, "square": n * n, "zero": 0}
    near |= {name: int(text) * (1 if n > 0 else -1) for name, text in _digit_errors(rng, digits).items()}
    different = other_values(Fraction(n), {name: Fraction(miss) for name, miss in near.items()})
    different |= {"half more": f"{n}.5", "reciprocal": frac(Fraction(1, n)), "pi": f"{n}\\pi", "letter": f"{n}x"}
    return Specimen("integer", f"{n}", same, different)


def fraction(rng: random.Random) -> Specimen:
    """A fraction in lowest terms, proper or not."""
    p, q = rng.randint(1, 60), rng.randint(2, 40)
    while gcd(p, q) != 1 or q == 1:
        p, q = rng.randint(1, 60), rng.randint(2, 40)
    value = Fraction(p, q) * rng.choice((1, 1, -1))
    sign, k = "-" if value < 0 else "", rng.randint(2, 7)
    same = {name: frac(value, name) for name in ("frac", "dfrac", "tfrac")} | {
        "slash": f"{sign}{p}/{q}",
        "not reduced": f"{sign}\\frac{{{k * p}}}{{{k * q}}}",
        "slash not reduced": f"{sign}{k * p}/{k * q}",
        "spaces": f"{sign}\\frac {{ {p} }} {{ {q} }}",
        "display": f"\\displaystyle {frac(value)}",
        "brackets": f"\\left({frac(value)}\\right)",
        "dollars": f"${frac(value)}$",
        "equation": f"x = {frac(value)}",
        "product": f"{sign}{p} \\cdot \\frac{{1}}{{{q}}}",
    }
    if value < 0:
        same |= {"minus above": f"\\frac{{-{p}}}{{{q}}}", "minus below": f"\\frac{{{p}}}{{-{q}}}"}
        same["minus sign"] = f"{MINUS}{p}/{q}"
    if p < 10 and q < 10:
        same["short"] = f"{sign}\\frac{p}{q}"
    if (expansion := decimal(value)) is not None:
        same |= {"decimal": expansion, "trailing zero": f"{expansion}0"}
    near = {
        "reciprocal": 1 / value,
        "sign": -value,
        "numerator one more": Fraction(value.numerator + 1, q),
        "denominator one more": Fraction(value.numerator, q + 1),
        "numerator alone": Fraction(value.numerator),
        "denominator alone": Fraction(q),
        "one more": value + 1,
        "twice": 2 * value,
    }
    different = other_values(value, near)
    if expansion is None:
        different["two decimals"] = f"{float(value):.2f}"
    return Specimen("fraction", frac(value), same, different)


def finite_decimal(rng: random.Random) -> Specimen:
    """A decimal of one to three places."""
    places = rng.randint(1, 3)
    k = rng.randint(1, 9999) * 10 + rng.randint(1, 9)
    value = Fraction(k, 10**places) * rng.choice((1, 1, -1))
    text = _point(value, places)
    sign = "-" if value < 0 else ""
    same = {
        "as it is": text,
        "trailing zeros": f"{text}00",
        "fraction": frac(value),
        "slash": f"{value.numerator}/{value.denominator}",
        "dollars": f"${text}$",
        "equation": f"x = {text}",
        "power of ten": f"{sign}{k} \\times 10^{{-{places}}}",
    }
    if abs(value) < 1:
        same["no leading zero"] = text.replace("0.", ".", 1)
    if value.numerator and abs(value) >= 1000:
        whole, _, rest = text.partition(".")
        same["commas"] = f"{int(whole):,}.{rest}"
    unit = Fraction(1, 10**places)
    near = {
        "last digit up": value + unit,
        "last digit down": value - unit,
        "sign": -value,
        "point right": 10 * value,
        "point left": value / 10,
        "last digit dropped": Fraction(k // 10, 10 ** (places - 1)) * (1 if value > 0 else -1),
        "rounded": Fraction(round(value)),
    }
    return Specimen(
        "decimal", text, same, {name: _point(miss, places + 1) for name, miss in near.items() if miss != value}
    )


def mixed(rng: random.Random) -> Specimen:
    """A mixed number such as 4 4/9."""
    b = rng.randint(3, 12)
    a = rng.choice([a for a in range(1, b) if gcd(a, b) == 1])
    w = rng.randint(2, 20)
    value = w + Fraction(a, b)
    same = {
        "as it is": f"{w}\\frac{{{a}}}{{{b}}}",
        "space": f"{w} \\frac{{{a}}}{{{b}}}",
        "dfrac": f"{w}\\dfrac{{{a}}}{{{b}}}",
        "improper": frac(value),
        "improper slash": f"{value.numerator}/{value.denominator}",
        "plain": f"{w} {a}/{b}",
        "sum": f"{w} + \\frac{{{a}}}{{{b}}}",
    }
    if (expansion := decimal(value)) is not None:
        same["decimal"] = expansion
    near = {
        "whole one more": value + 1,
        "whole alone": Fraction(w),
        "fraction alone": Fraction(a, b),
        "product": w * Fraction(a, b),
        "numerator one more": value + Fraction(1, b),
        "reciprocal": 1 / value,
    }
    different = other_values(value, near) | {"plain, whole one more": f"{w + 1} {a}/{b}"}
    return Specimen("mixed number", f"{w}\\frac{{{a}}}{{{b}}}", same, different)


def scientific(rng: random.Random) -> Specimen:
    """A number with a power of ten, large or small."""
    m = rng.choice([n for n in range(11, 99) if n % 10])
    e = rng.choice((*range(3, 9), *range(-6, -2)))
    mantissa = f"{m // 10}.{m % 10}"
    value = Fraction(m, 10) * Fraction(10) ** e
    same = {
        "times": f"{mantissa} \\times 10^{{{e}}}",
        "cdot": f"{mantissa} \\cdot 10^{{{e}}}",
        "tight": f"{mantissa}\\times10^{{{e}}}",
        "shifted": f"{m} \\times 10^{{{e - 1}}}",
        "digits": str(value.numerator) if value.denominator == 1 else str(decimal(value)),
    }
    if value.denominator == 1:
        same["commas"] = f"{value.numerator:,}"
    different = {
        "exponent one more": f"{mantissa} \\times 10^{{{e + 1}}}",
        "exponent one less": f"{mantissa} \\times 10^{{{e - 1}}}",
        "exponent's sign": f"{mantissa} \\times 10^{{{-e}}}",
        "sign": f"-{mantissa} \\times 10^{{{e}}}",
        "mantissa": f"{(m + 1) / 10} \\times 10^{{{e}}}",
        "mantissa alone": mantissa,
        "digits, ten times": other_values(value, {"": value * 10})[""],
    }
    return Specimen("power of ten", same["times"], same, different)


def _digit_errors(rng: random.Random, digits: str) -> dict[str, str]:
    place = rng.randrange(max(1, len(digits) - 1))
    swapped = digits[:place] + digits[place + 1 : place + 2] + digits[place] + digits[place + 2 :]
    return {
        "digits swapped": swapped,
        "digit dropped": digits[:-1] or "0",
        "digit doubled": digits + digits[-1],
        "digit changed": digits[:place] + str((int(digits[place]) + rng.randint(1, 8)) % 10) + digits[place + 1 :],
    }


def _point(value: Fraction, places: int) -> str:
    scaled = value * 10**places
    digits = f"{abs(scaled.numerator):0{places + 1}d}"
    return f"{'-' if value < 0 else ''}{digits[:-places]}.{digits[-places:]}"
