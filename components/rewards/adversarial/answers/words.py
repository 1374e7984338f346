"""Names, units, money, angles, percentages and numerals of another base: answers that are not numbers alone.

Units and percentages follow the conventions of ``r1flow.components.rewards.mathematics.number``.
"""

import random

from r1flow.components.rewards.adversarial.cases import Specimen

_NAMES = ("Evelyn", "Sarah", "Kenji", "Monday", "Friday", "circle", "ellipse", "odd", "even", "yes", "hexagon")


def name(rng: random.Random) -> Specimen:
    """A word."""
    word, other = rng.sample(_NAMES, 2)
    same = {
        "as it is": f"\\text{{{word}}}",
        "bare": word,
        "roman": f"\\mathrm{{{word}}}",
        "bold": f"\\textbf{{{word}}}",
        "dollars": f"$\\text{{{word}}}$",
        "space": f"\\text{{ {word} }}",
    }
    different = {
        "another": f"\\text{{{other}}}",
        "bare, another": other,
        "negated": f"\\text{{not {word}}}",
        "longer": f"\\text{{{word}{word[-1]}}}",
        "both": f"\\text{{{word} or {other}}}",
        "a number": "7",
    }
    return Specimen("word", same["as it is"], same, different)


def quantity(rng: random.Random) -> Specimen:
    """A number with a unit. The unit may be left out, as the data sets of the field do; another unit may not stand."""
    n, unit = rng.randint(2, 900), rng.choice(("cm", "km", "kg", "minutes", "square units", "miles"))
    other = {"cm": "m", "km": "m", "kg": "g", "minutes": "hours", "square units": "cm", "miles": "km"}[unit]
    same = {
        "as it is": f"{n}\\text{{ {unit}}}",
        "space": f"{n} \\text{{ {unit}}}",
        "roman": f"{n}\\ \\mathrm{{{unit}}}",
        "thin space": f"{n}\\,\\text{{{unit}}}",
        "bold": f"{n}\\textbf{{ {unit}}}",
        "number alone": f"{n}",
    }
    different = {
        "one more": f"{n + 1}\\text{{ {unit}}}",
        "thousand times": f"{1000 * n}\\text{{ {unit}}}",
        "point": f"{n / 10}\\text{{ {unit}}}",
        "sign": f"-{n}\\text{{ {unit}}}",
        "unit alone": f"\\text{{{unit}}}",
        "another unit": f"{n}\\text{{ {other}}}",
        "another number alone": f"{n + 10}",
    }
    return Specimen("quantity", same["as it is"], same, different)


def money(rng: random.Random) -> Specimen:
    """An amount; the gold has the number alone or with the sign."""
    n = rng.randint(2, 90_000)
    same = {
        "sign": f"\\${n}",
        "number": f"{n}",
        "cents": f"{n}.00",
        "sign and cents": f"\\${n}.00",
        "commas": f"\\${n:,}",
    }
    different = {
        "one more": f"\\${n + 1}",
        "one cent more": f"\\${n}.01",
        "negative": f"-{n}",
        "hundred times": f"\\${100 * n}",
    }
    return Specimen("money", rng.choice((f"\\${n}", f"{n}")), same, different)


def angle(rng: random.Random) -> Specimen:
    """Degrees."""
    n = rng.randint(5, 350)
    same = {
        "as it is": f"{n}^\\circ",
        "braces": f"{n}^{{\\circ}}",
        "dollars": f"${n}^\\circ$",
        "space": f"{n} ^ \\circ",
    }
    different = {"one more": f"{n + 1}^\\circ", "negative": f"{-n}^\\circ", "half a turn more": f"{n + 180}^\\circ"}
    return Specimen("angle", same["as it is"], same, different)


def percentage(rng: random.Random) -> Specimen:
    """A percentage, which equals its value as a decimal and, as the answer to "what percent", the bare number."""
    n = rng.randint(2, 99)
    same = {"as it is": f"{n}\\%", "space": f"{n} \\%", "decimal": f"{n}.0\\%", "dollars": f"${n}\\%$"}
    same |= {"value": f"{n / 100}", "fraction": f"\\frac{{{n}}}{{100}}", "bare number": f"{n}"}
    different = {
        "one more": f"{n + 1}\\%",
        "one tenth": f"{n / 10}\\%",
        "ten times": f"{10 * n}\\%",
        "negative": f"-{n}\\%",
        "value of one more": f"{(n + 1) / 100}",
        "value times ten": f"{n / 10}",
        "bare number, ten times": f"{10 * n}",
        "hundred more": f"{n + 100}\\%",
    }
    return Specimen("percentage", same["as it is"], same, different)


def numeral(rng: random.Random) -> Specimen:
    """A number written in another base."""
    base = rng.choice((3, 5, 6, 7))
    digits = str(rng.randint(1, base - 1)) + "".join(str(rng.randrange(base)) for _ in range(3))
    last = (int(digits[-1]) + 1) % base
    same = {"as it is": f"{digits}_{base}", "braces": f"{digits}_{{{base}}}", "dollars": f"${digits}_{{{base}}}$"}
    different = {
        "last digit": f"{digits[:-1]}{last}_{base}",
        "base": f"{digits}_{base + 1}",
        "digit too many": f"{digits}0_{base}",
    }
    return Specimen("numeral", same["as it is"], same, different)
