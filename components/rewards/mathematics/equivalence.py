r"""Does an answer say what the gold says? Exact and structural first, algebra only where form does not decide.

Gold and answer are not interchangeable. ``x=5`` and ``5`` are the same value, whichever side has the name; a name that
differs is a different answer (``x=1``, ``y=1``), except that ``y`` may be written ``f(x)``. An answer that is a chain
of equations says what stands last. Lists and sets have no order, tuples have. "4 or 5" is no answer where one value
is asked for.
"""

import re
from collections.abc import Callable

from r1flow.components.rewards.mathematics import structure
from r1flow.components.rewards.mathematics.arithmetic import same_value
from r1flow.components.rewards.mathematics.guards import why_too_costly
from r1flow.components.rewards.mathematics.intervals import as_interval
from r1flow.components.rewards.mathematics.normal_form import closing, normal
from r1flow.components.rewards.mathematics.number import decimal_comma, read, same
from r1flow.components.rewards.mathematics.units import set_unit, split_unit
from r1flow.components.rewards.mathematics.words import is_words, key

Algebra = Callable[[str, str], bool | None]
"""Two normal forms to the verdict of a computer algebra system; None when the second cannot be read."""

MAX_DEPTH = 4
MAX_EXCESS = 1000  # characters more than four times the gold's: such an answer is not read

_LETTER = re.compile(r"\(?(?:\\text\{)?\(?([A-Z])(?:\)?\}?\)?(?:[.:)]? .*|[.:)])?|\)\}?\d.*)", re.DOTALL)
_OTHER_LETTER = re.compile(r"(?:\bor\b|\band\b|maybe|perhaps|[,/&])[^A-Za-z]*(?:\\text\{)?[^A-Za-z]*[A-Z](?![A-Za-z])")
_CHOICE = re.compile(r"\(?(?:\\text\{)?\(?([A-Z])\)?\}?\)?")
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?: ?(?:\\text\{ ?)?([ap])\.?m\.?(?: ?\})?)?", re.IGNORECASE)
_FUNCTION_OF = re.compile(r"[A-Za-z]\([a-z]\)")
_EMPTY = "\\emptyset"
_INFINITE = ("\\infty", "-\\infty")
_INTERVALS = {"()", "[]", "(]", "[)"}
_SAID = re.compile(
    r"\\text\{[^{}]*\b(?:is|are|equals|be)[: ]*\}(?=.)|(?:[A-Za-z]+ ){1,8}(?:is|are|equals) (?=[\d\\$(-])"
)
_TEXT = re.compile(r"\\text\{([^{}]*)\}")
_OPERATORS = re.compile(r"[\^+*/<>|]")
_MULTIPLE = re.compile(r"-?\d*(?:\\frac\{\d+\}\{\d+\})?(?<=[-\d}])[A-Za-z]=")
_HAS_VALUE = re.compile(r"[^\W_]|\\[A-Za-z]")
_FREE = re.compile(r"(?<![\\A-Za-z])[A-Za-z](?![A-Za-z])")


def equal(gold: str, answer: str, algebra: Algebra) -> bool | None:
    """Whether ``answer`` says what ``gold`` says; None when it cannot be read as an answer at all."""

    def decide(first: str, second: str) -> bool | None:
        first, unit = split_unit(first)
        second, other_unit = split_unit(second)
        if unit and other_unit and unit != other_unit:
            return False
        if why_too_costly(second, first):
            return None
        verdict = same_value(_as_fraction(first), _as_fraction(second))
        return algebra(first, second) if verdict is None else verdict

    return _equal(structure.turned(normal(gold)), structure.turned(_unsaid(normal(answer))), decide, 0)


def _as_fraction(text: str) -> str:
    """A mixed number as one fraction."""
    number = read(text) if "\\frac" in text or "/" in text else None
    if number is None or not number.mixed or number.percent or number.unit:
        return text
    return f"\\frac{{{number.value.numerator}}}{{{number.value.denominator}}}"


def _unsaid(answer: str) -> str:
    """Without "the probability is" in front, and without brackets around an equation."""
    said = _SAID.match(answer)
    answer = (answer[said.end() :] if said else answer).removeprefix("\\approx").lstrip()
    if answer.startswith("(") and "=" in answer and "," not in answer and closing(answer, 0) == len(answer) - 1:
        return answer[1:-1]
    return answer


def _equal(gold: str, answer: str, algebra: Algebra, depth: int) -> bool | None:
    if not _HAS_VALUE.search(answer) or len(answer) > MAX_EXCESS + 4 * len(gold):
        return None
    if gold == answer or _TEXT.sub(r"\1", gold) == _TEXT.sub(r"\1", answer):
        return True
    for rule in (_numbers, _letters, _clocks, _in_words):
        if (verdict := rule(gold, answer)) is not None:
            return verdict
    if read(gold) is not None and is_words(answer):
        return None
    if structure.alternatives(answer) and not structure.alternatives(gold) and structure.parts(gold) is None:
        return False
    if depth < MAX_DEPTH:
        if (values := _values(gold, answer)) is not None:
            return _equal(*values, algebra, depth + 1) if all(values) else False
        return _parts(gold, answer, algebra, depth + 1)
    return algebra(gold, answer)


def _numbers(gold: str, answer: str) -> bool | None:
    a, b = read(gold), read(answer)
    if a is None and b is not None:
        a = read(set_unit(gold, b.unit))
    elif b is None and a is not None:
        b = read(set_unit(answer, a.unit))
    if a is not None and b is not None:
        return same(a, b)
    if (a is not None and answer in _INFINITE) or (b is not None and gold in _INFINITE):
        return False
    return decimal_comma(gold, answer)


def _letters(gold: str, answer: str) -> bool | None:
    letter = _CHOICE.fullmatch(gold)
    said = _LETTER.fullmatch(answer) if letter else None
    if said and _OTHER_LETTER.search(answer, said.end(1)):
        return False
    if letter and said is None and gold[0] != "(" and gold[-1] == ")":
        return False  # "B)" is a label and nothing else
    return None if letter is None or said is None else letter[1] == said[1]


def _clocks(gold: str, answer: str) -> bool | None:
    """``8:34 p.m.`` is ``20:34``."""
    first, second = _CLOCK.fullmatch(gold), _CLOCK.fullmatch(answer)
    if first is None or second is None:
        time = first or second
        return False if time is not None and time[3] else None  # a time of day is nothing else
    if not (first[3] or second[3]):
        return None
    return _minutes(first) == _minutes(second)


def _minutes(time: re.Match[str]) -> int:
    half, hour = (time[3] or "").lower(), int(time[1])
    return (hour % 12 + 12 * (half == "p") if half else hour) * 60 + int(time[2])


def _in_words(gold: str, answer: str) -> bool | None:
    """Texts in words are equal or different; algebra would take them for products of letters."""
    if not is_words(gold) or structure.is_relation(gold):
        return None
    value = structure.value_of(answer)
    if _OPERATORS.search(value) or value.startswith("-"):
        return False
    return key(gold) == key(value) or key(gold) == key(answer)


def _values(gold: str, answer: str) -> tuple[str, str] | None:
    """What is left to compare when names are put aside; None when they may not be."""
    gold_name, answer_name = structure.name_of(gold), structure.name_of(answer)
    number = read(structure.value_of(gold, rounded=True))
    rounded = number is not None and number.digits > 0
    if structure.parts(gold) is not None or structure.parts(answer) is not None:
        one = (gold_name is not None and gold_name[0] == "(") or (answer_name is not None and answer_name[0] == "(")
        if not one:
            return None
    if gold_name is None and "\\approx" in gold:
        return structure.value_of(gold), answer
    if gold_name is not None and not structure.is_relation(answer):
        return structure.value_of(gold), answer
    if not structure.is_relation(gold) and structure.is_equation(answer):
        value = structure.value_of(answer, rounded=rounded)
        if answer_name is None and value == "0" and _FREE.search(answer):
            return value, ""  # an equation is not its right-hand side
        if _MULTIPLE.match(answer):
            return value, ""  # "2x = 6" says that x is 3
        return gold, value
    if gold_name is not None and answer_name is not None:
        together = structure.value_of(gold), structure.value_of(answer, rounded=rounded)
        if gold_name.replace(" ", "") == answer_name.replace(" ", ""):
            return together
        if any(len(a) == 1 and _FUNCTION_OF.fullmatch(b) for a, b in _either(gold_name, answer_name)):
            return together
        return None
    return None


def _either(first: str, second: str) -> tuple[tuple[str, str], tuple[str, str]]:
    return (first, second), (second, first)


def _parts(gold: str, answer: str, algebra: Algebra, depth: int) -> bool | None:
    """The verdict by parts; algebra's where the two forms do not decide."""
    first, second = (as_interval(text) or text for text in (gold, answer))
    if _is_interval(first) and _is_interval(second):
        if any((end in first) != (end in second) for end in ("-\\infty", ",\\infty")):
            return False
        return _same_parts(first, second, algebra, depth)
    return _same_parts(gold, answer, algebra, depth)


def _is_interval(text: str) -> bool:
    found = structure.parts(text)
    return found is not None and (found.kind == "union" or (found.kind[0] in "([" and len(found.items) == 2))


def _same_parts(gold: str, answer: str, algebra: Algebra, depth: int) -> bool | None:
    a, b = structure.parts(gold), structure.parts(answer)
    if a and b and (_is_singleton(a) != _is_singleton(b)):  # {(1,2)} is the solution (1,2)
        pair = (a.items[0], answer) if _is_singleton(a) else (gold, b.items[0])
        return _equal(*pair, algebra, depth)
    if a is None or b is None:
        several = b if a is None else a
        if several is None or several.kind not in ("list", "{}") or not several.items:
            return algebra(gold, answer)
        if len(several.items) == 1:
            if _EMPTY in (several.items[0], gold, answer):
                return False
            return _equal(a.items[0], answer, algebra, depth) if a else _equal(gold, several.items[0], algebra, depth)
        return algebra(gold, answer) if structure.is_relation(answer if a else gold) else False
    if {a.kind, b.kind} == {"()", "{}"} or (a.kind != b.kind and {a.kind, b.kind} <= _INTERVALS and not _vectors(a, b)):
        return False
    ordered = _ordered(a, b)
    if ordered is None:
        if a.kind == b.kind == "union" and _match(a.items, b.items, algebra, depth):
            return True
        return algebra(gold, answer)
    if not ordered:
        return _match(a.items, b.items, algebra, depth)
    if len(a.items) != len(b.items):
        return False
    return _all([_equal(x, y, algebra, depth) for x, y in zip(a.items, b.items, strict=True)])


def _is_singleton(found: structure.Parts) -> bool:
    return found.kind == "{}" and len(found.items) == 1


def _ordered(a: structure.Parts, b: structure.Parts) -> bool | None:
    """Whether position counts; None when the two kinds may still be one set or one matrix."""
    loose = ("list", "{}")
    if a.kind in loose and b.kind in loose:
        names = [structure.name_of(item) is not None for item in (*a.items, *b.items)]
        one_side = all(names[: len(a.items)]) != all(names[len(a.items) :])
        return one_side and len(set(map(structure.name_of, a.items if names[0] else b.items))) > 1
    if a.kind == b.kind:
        return None if a.kind in ("union", "|matrix|") else True
    if {a.kind, b.kind} <= {"()", "list"} or ({a.kind, b.kind} <= {"()", "[]", "vector"} and _vectors(a, b)):
        return True
    return None


def _vectors(a: structure.Parts, b: structure.Parts) -> bool:
    """Three and more entries, or a column: no interval."""
    return len(a.items) > 2 or "vector" in (a.kind, b.kind)


def _match(golds: tuple[str, ...], answers: tuple[str, ...], algebra: Algebra, depth: int) -> bool | None:
    """Every gold has its answer and no answer is over; repetitions do not count."""
    golds, answers = tuple(dict.fromkeys(golds)), tuple(dict.fromkeys(answers))
    left = list(answers)
    for gold in golds:
        verdicts = ((answer, _equal(gold, answer, algebra, depth)) for answer in sorted(left, key=gold.__ne__))
        found = next((answer for answer, verdict in verdicts if verdict), None)
        if found is None:
            return False
        left.remove(found)
    return all(any(_equal(gold, extra, algebra, depth) for gold in golds) for extra in left)


def _all(verdicts: list[bool | None]) -> bool | None:
    return False if False in verdicts else None if None in verdicts else True
