"""Roots, multiples of pi, logarithms, powers, complex numbers, polynomials and formulas with letters."""

import random
from fractions import Fraction
from math import gcd

from r1flow.components.rewards.adversarial.cases import Specimen

_SQUAREFREE = (2, 3, 5, 6, 7, 10, 11, 13, 14, 15, 17, 19)


def root(rng: random.Random) -> Specimen:
    """``a sqrt(b)`` with a squarefree b."""
    a, b = rng.randint(2, 12), rng.choice(_SQUAREFREE)
    same = {
        "as it is": f"{a}\\sqrt{{{b}}}",
        "under the root": f"\\sqrt{{{a * a * b}}}",
        "cdot": f"{a} \\cdot \\sqrt{{{b}}}",
        "root first": f"\\sqrt{{{b}}} \\cdot {a}",
        "space": f"{a} \\sqrt {{{b}}}",
        "power": f"{a} \\cdot {b}^{{1/2}}",
        "denominator": f"\\frac{{{a * b}}}{{\\sqrt{{{b}}}}}",
        "plain": f"{a}*sqrt({b})",
    }
    different = {
        "factor one more": f"{a + 1}\\sqrt{{{b}}}",
        "radicand one more": f"{a}\\sqrt{{{b + 1}}}",
        "root missing": f"{a * b}",
        "factor missing": f"\\sqrt{{{b}}}",
        "factor not squared": f"\\sqrt{{{a * b}}}",
        "sign": f"-{a}\\sqrt{{{b}}}",
        "cube root": f"{a}\\sqrt[3]{{{b}}}",
        "two decimals": f"{a * b**0.5:.2f}",
    }
    return Specimen("root", same["as it is"], same, different)


def surd(rng: random.Random) -> Specimen:
    """``a + b sqrt(c)``."""
    a, b, c = rng.randint(1, 15), rng.randint(2, 9), rng.choice(_SQUAREFREE)
    same = {
        "as it is": f"{a}+{b}\\sqrt{{{c}}}",
        "reordered": f"{b}\\sqrt{{{c}}} + {a}",
        "spaces": f"{a} + {b} \\sqrt{{{c}}}",
        "under the root": f"{a} + \\sqrt{{{b * b * c}}}",
        "double minus": f"{a} - (-{b}\\sqrt{{{c}}})",
    }
    different = {
        "conjugate": f"{a}-{b}\\sqrt{{{c}}}",
        "first part alone": f"{a}",
        "second part alone": f"{b}\\sqrt{{{c}}}",
        "merged": f"{a + b}\\sqrt{{{c}}}",
        "first one more": f"{a + 1}+{b}\\sqrt{{{c}}}",
        "plus minus": f"{a} \\pm {b}\\sqrt{{{c}}}",
    }
    return Specimen("surd", same["as it is"], same, different)


def multiple_of_pi(rng: random.Random) -> Specimen:
    """``p pi / q``."""
    q = rng.randint(2, 12)
    p = rng.choice([p for p in range(2, 20) if gcd(p, q) == 1])
    k = rng.randint(2, 5)
    same = {
        "as it is": f"\\frac{{{p}\\pi}}{{{q}}}",
        "dfrac": f"\\dfrac{{{p}\\pi}}{{{q}}}",
        "pi behind": f"\\frac{{{p}}}{{{q}}}\\pi",
        "slash": f"{p}\\pi/{q}",
        "not reduced": f"\\frac{{{k * p}\\pi}}{{{k * q}}}",
        "cdot": f"\\frac{{{p}}}{{{q}}} \\cdot \\pi",
    }
    different = {
        "pi missing": f"\\frac{{{p}}}{{{q}}}",
        "pi below": f"\\frac{{{p}}}{{{q}\\pi}}",
        "twice": f"\\frac{{{2 * p}\\pi}}{{{q}}}",
        "reciprocal": f"\\frac{{{q}\\pi}}{{{p}}}",
        "pi squared": f"\\frac{{{p}\\pi^2}}{{{q}}}",
        "numerator one more": f"\\frac{{{p + 1}\\pi}}{{{q}}}",
        "sign": f"-\\frac{{{p}\\pi}}{{{q}}}",
        "pi as 3.14": f"{3.14 * p / q:.4f}",
    }
    return Specimen("multiple of pi", same["as it is"], same, different)


def power(rng: random.Random) -> Specimen:
    """``a^b`` with small numbers."""
    a, b = rng.choice(((2, 8), (2, 10), (2, 12), (3, 4), (3, 6), (5, 4), (7, 4), (10, 6)))
    value = a**b
    same = {
        "as it is": f"{a}^{{{b}}}",
        "value": f"{value}",
        "square": f"{a * a}^{{{b // 2}}}",
        "product": f"{a} \\cdot {a}^{{{b - 1}}}",
    }
    different = {
        "exponent one more": f"{a}^{{{b + 1}}}",
        "exponent one less": f"{a}^{{{b - 1}}}",
        "base one more": f"{a + 1}^{{{b}}}",
        "value one less": f"{value - 1}",
        "product instead": f"{a * b}",
        "turned round": f"{b}^{{{a}}}",
    }
    if b**a == value:
        del different["turned round"]
    return Specimen("power", same["as it is"], same, different)


def logarithm(rng: random.Random) -> Specimen:
    """``a ln b``."""
    a, b = rng.randint(2, 4), rng.choice((2, 3, 5, 7))
    same = {
        "as it is": f"{a}\\ln {b}",
        "brackets": f"{a}\\ln({b})",
        "one logarithm": f"\\ln {b**a}",
        "cdot": f"{a} \\cdot \\ln({b})",
    }
    different = {
        "factor one more": f"{a + 1}\\ln {b}",
        "argument one more": f"{a}\\ln {b + 1}",
        "product inside": f"\\ln {a * b}",
        "exponential": f"{a}e^{{{b}}}",
        "sign": f"-{a}\\ln {b}",
    }
    if b**a == a * b:
        del different["product inside"]
    if (b + 1) ** a == b**a:
        del different["argument one more"]
    return Specimen("logarithm", same["as it is"], same, different)


def complex_number(rng: random.Random) -> Specimen:
    """``a + bi``."""
    a, b = rng.sample(range(2, 20), 2)
    same = {
        "as it is": f"{a}+{b}i",
        "reordered": f"{b}i + {a}",
        "spaces": f"{a} + {b} i",
        "cdot": f"{a} + {b} \\cdot i",
    }
    different = {
        "conjugate": f"{a}-{b}i",
        "parts swapped": f"{b}+{a}i",
        "real part alone": f"{a}",
        "imaginary part alone": f"{b}i",
        "i missing": f"{a + b}",
        "sign": f"-{a}+{b}i",
    }
    return Specimen("complex number", same["as it is"], same, different)


def polynomial(rng: random.Random) -> Specimen:
    """``(x + a)(x + b)``, given as factors or expanded."""
    a, b = rng.sample([n for n in range(-9, 10) if n], 2)
    while a + b == 0:
        a, b = rng.sample([n for n in range(-9, 10) if n], 2)
    s, p = a + b, a * b
    expanded = f"x^2{_term(s, 'x')}{_term(p, '')}"
    first, second = f"(x{_term(a, '')})", f"(x{_term(b, '')})"
    same = {
        "factors": first + second,
        "factors turned round": second + first,
        "cdot": f"{first} \\cdot {second}",
        "expanded": expanded,
        "constant first": f"{p}{_term(s, 'x')} + x^2",
        "braces": expanded.replace("x^2", "x^{2}"),
        "spaces": expanded.replace("+", " + ").replace("-", " - "),
        "half expanded": f"x(x{_term(b, '')}){_term(a, 'x')}{_term(p, '')}",
        "brackets": f"\\left(x{_term(a, '')}\\right)\\left(x{_term(b, '')}\\right)",
    }
    different = {
        "signs of the roots": f"(x{_term(-a, '')})(x{_term(-b, '')})",
        "constant's sign": f"x^2{_term(s, 'x')}{_term(-p, '')}",
        "linear term's sign": f"x^2{_term(-s, 'x')}{_term(p, '')}",
        "linear term missing": f"x^2{_term(p, '')}",
        "constant missing": f"x^2{_term(s, 'x')}",
        "constant one more": f"x^2{_term(s, 'x')}{_term(p + 1, '')}",
        "degree": f"x^3{_term(s, 'x')}{_term(p, '')}",
        "one factor": first,
        "a root": f"{-a}",
    }
    return Specimen("polynomial", rng.choice((first + second, expanded)), same, different)


def formula(rng: random.Random) -> Specimen:
    """A fraction of letters with a drawn coefficient."""
    a, b, c = rng.sample("abcmnprstuvw", 3)
    k = rng.randint(2, 9)
    same = {
        "as it is": f"\\frac{{{k}{a}{b}}}{{{c}}}",
        "letters turned round": f"\\frac{{{k}{b}{a}}}{{{c}}}",
        "slash": f"{k}{a}{b}/{c}",
        "split": f"\\frac{{{k}{a}}}{{{c}}} \\cdot {b}",
        "extended": f"\\frac{{{2 * k}{a}{b}}}{{2{c}}}",
        "dfrac": f"\\dfrac{{{k}{a}{b}}}{{{c}}}",
    }
    different = {
        "inverted": f"\\frac{{{c}}}{{{k}{a}{b}}}",
        "letters exchanged": f"\\frac{{{k}{a}{c}}}{{{b}}}",
        "coefficient one more": f"\\frac{{{k + 1}{a}{b}}}{{{c}}}",
        "letter missing": f"\\frac{{{k}{a}}}{{{c}}}",
        "sum": f"\\frac{{{k}{a}+{b}}}{{{c}}}",
        "sign": f"-\\frac{{{k}{a}{b}}}{{{c}}}",
        "square": f"\\frac{{{k}{a}{b}}}{{{c}^2}}",
    }
    return Specimen("formula", same["as it is"], same, different)


def rational_function(rng: random.Random) -> Specimen:
    """``a / (x + b)``."""
    a, b, k = rng.randint(2, 9), rng.randint(2, 9), rng.randint(2, 4)
    same = {
        "as it is": f"\\frac{{{a}}}{{x+{b}}}",
        "slash": f"{a}/(x+{b})",
        "turned round": f"\\frac{{{a}}}{{{b}+x}}",
        "extended": f"\\frac{{{k * a}}}{{{k}x+{k * b}}}",
        "product": f"{a} \\cdot \\frac{{1}}{{x+{b}}}",
    }
    different = {
        "sign below": f"\\frac{{{a}}}{{x-{b}}}",
        "inverted": f"\\frac{{x+{b}}}{{{a}}}",
        "brackets lost": f"\\frac{{{a}}}{{x}}+{b}",
        "numerator one more": f"\\frac{{{a + 1}}}{{x+{b}}}",
        "value at zero": f"\\frac{{{Fraction(a, b).numerator}}}{{{Fraction(a, b).denominator}}}",
    }
    return Specimen("rational function", same["as it is"], same, different)


def trigonometric(rng: random.Random) -> Specimen:
    """Identities of the double angle and of Pythagoras."""
    k, x = rng.randint(2, 9), rng.choice("xat")
    if rng.random() < 0.5:
        same = {
            "as it is": f"{k}\\sin(2{x})",
            "double angle": f"{2 * k}\\sin({x})\\cos({x})",
            "spaces": f"{k} \\sin (2{x})",
        }
        different = {
            "cosine": f"{k}\\cos(2{x})",
            "angle": f"{k}\\sin({x})",
            "half": f"{k}\\sin({x})\\cos({x})",
            "factor": f"{k + 1}\\sin(2{x})",
        }
    else:
        same = {
            "as it is": f"{k}\\cos^2({x})",
            "Pythagoras": f"{k} - {k}\\sin^2({x})",
            "square outside": f"{k}(\\cos({x}))^2",
        }
        different = {
            "sine": f"{k}\\sin^2({x})",
            "not squared": f"{k}\\cos({x})",
            "factor": f"{k + 1}\\cos^2({x})",
            "sum": f"{k} + {k}\\sin^2({x})",
        }
    return Specimen("trigonometric", same["as it is"], same, different)


def _term(coefficient: int, letter: str) -> str:
    """``+3x``, ``-x``, ``+5``; nothing for zero."""
    if coefficient == 0:
        return ""
    size = "" if abs(coefficient) == 1 and letter else str(abs(coefficient))
    return f"{'+' if coefficient > 0 else '-'}{size}{letter}"
