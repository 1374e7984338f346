"""Refuse answers that a computer algebra system would chew on for minutes.

math-verify guards itself with signals, which work in the main thread only, so its time-outs are off here and what may
take long must not reach it. The limits come from measurements with math-verify 0.9 and sympy 1.14: sixteen braces in
one another take over twenty seconds to parse, and so do a dozen fractions. They stop the usual bombs, not every one;
what holds against all is a process that can be killed.
"""

import re

MAX_CHARS = 4096
MAX_DIGITS = 500
MAX_NESTING = 10
MAX_STACKED = 8  # brackets opened directly inside one another
MAX_FUNCTIONS = 12
MAX_ROUNDINGS = 4  # floors and ceilings
MAX_CHOICES = 16  # unions and plus-minus signs
MAX_EXPONENT = 5000  # of a number
MAX_SYMBOLIC_EXPONENT = 30  # of a bracket or function that holds a letter
MAX_EXPONENT_PRODUCT = 100_000

_STACKED = re.compile(r"(?:(?:\\left|\\bigl?)?\s*\\?[\[({]\s*){" + str(MAX_STACKED + 1) + "}")
_FUNCTION = re.compile(r"(?:sin|cos|tan|cot|sec|csc|sinh|cosh|tanh|log|ln|exp)(?![A-Za-z])")
_ROUNDING = re.compile(r"\\l(?:floor|ceil)")
_CHOICE = re.compile(r"\\(?:cup|cap|pm|mp)(?![A-Za-z])")
_POWER = re.compile(r"\*\*|\^")
_CHAINED = re.compile(r"(?:\^|\*\*)\s*(?:[-+]?[\w.]+|\{[^{}]*\}|\([^()]*\))\s*(?:\^|\*\*)")
_GROUPED = re.compile(r"(?:\^|\*\*)\s*(?:\\[A-Za-z]+\s*)?[{(]|[{(]|[)}]|\^|\*\*")
_EXPONENT = re.compile(r"([\w)}\]]?)\s*(?:\^|\*\*)\s*[{(]?\s*[-+]?\s*(\d+)")
_LETTER = re.compile(r"(?<![\\A-Za-z])[A-Za-z](?![A-Za-z])")
_SHORT = r"(?<!\d)\d{1,3}(?!\d)"
_FACTORIAL = re.compile(r"[)}\w!]\s*!")
_SMALL_FACTORIAL = re.compile(rf"(?:{_SHORT}|(?<!\d)[A-Za-z]|\((?:[A-Za-z\s+-]|{_SHORT})*\))\s*!(?!\s*[)}}\s]*!)")
_BINOMIAL = re.compile(r"binom|choose")
_SMALL_BINOMIAL = re.compile(rf"binom(?:\s*\{{(?:[A-Za-z\s+-]|{_SHORT})+\}}){{2}}")
_OPERATOR = re.compile(r"\\(?:sum|prod|i+nt|oint|lim|det|gcd|lcm)(?![A-Za-z])")


def why_too_costly(text: str, gold: str = "") -> str | None:
    """Why ``text`` must not be evaluated, or None. Sums, integrals and such pass only where ``gold`` has them too."""
    if len(text) > MAX_CHARS:
        return f"longer than {MAX_CHARS} characters"
    if sum(character.isdigit() for character in text) > MAX_DIGITS:
        return f"more than {MAX_DIGITS} digits"
    if _STACKED.search(text) or _nesting(text) > MAX_NESTING:
        return "brackets nested too deeply"
    for pattern, most in ((_FUNCTION, MAX_FUNCTIONS), (_ROUNDING, MAX_ROUNDINGS), (_CHOICE, MAX_CHOICES)):
        if len(pattern.findall(text)) > most:
            return f"more than {most} of {pattern.pattern}"
    if _POWER.search(text) and _costly_powers(text):
        return "exponents too large"
    if len(_FACTORIAL.findall(text)) != len(_SMALL_FACTORIAL.findall(text)):
        return "factorial too large"
    if len(_BINOMIAL.findall(text)) != len(_SMALL_BINOMIAL.findall(text)):
        return "binomial too large"
    if _OPERATOR.search(text) and not _OPERATOR.search(gold):
        return "an operation in place of its result"
    return None


def _nesting(text: str) -> int:
    depth = deepest = 0
    for character in text:
        if character in "([{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in ")]}":
            depth = max(0, depth - 1)
    return deepest


def _costly_powers(text: str) -> bool:
    if _CHAINED.search(text) or _tower_height(text) > 2:
        return True
    limit = MAX_SYMBOLIC_EXPONENT if _LETTER.search(text) else MAX_EXPONENT
    product = 1
    for base, digits in _EXPONENT.findall(text):
        exponent = int(digits[:9])
        if exponent > (MAX_EXPONENT if base.isalnum() else limit):
            return True
        if not base.isalpha():
            product *= max(1, exponent)
    return product > MAX_EXPONENT_PRODUCT or (_tower_height(text) > 1 and not _LETTER.search(text))


def _tower_height(text: str) -> int:
    """How many exponents stand inside one another: 1 for ``x^2``, 2 for ``e^{x^2}``."""
    groups: list[bool] = []
    height = deepest = 0
    for token in _GROUPED.findall(text):
        power = token[0] in "^*"
        if power:
            deepest = max(deepest, height + 1)
        if token[-1] in "{(":
            groups.append(power)
            height += power
        elif token in ")}" and groups:
            height -= groups.pop()
    return deepest
