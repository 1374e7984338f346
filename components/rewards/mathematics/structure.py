r"""Answers of several parts: lists, sets, tuples, intervals, unions, matrices, named values.

Lists and sets are compared without regard to order, tuples and intervals with it. ``a \pm b`` is the list of two.
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from r1flow.components.rewards.mathematics.normal_form import closing, split
from r1flow.components.rewards.mathematics.number import read

MAX_PARTS = 32
CLOSE = Fraction(1, 20)  # between a number and what is written as approximately it

_AND = r"(?:, ?)?(?:\\text\{,? ?(?:and|or) ?\}| (?:and|or) |\\wedge|\\vee|\\lor|\\land) ?"
_SEPARATOR = re.compile(rf"{_AND}|[,;]")
_SPACED = re.compile(rf"{_AND}|, |;")
_OR = re.compile(r"\\text\{,? ?or ?\}| or |\\vee|\\lor(?![a-z])")
_THOUSANDS = re.compile(r"(?<![\d,])\d{1,3}(?:,\d{3})+(?![\d,])")
_CUP = re.compile(r"\\cup(?![A-Za-z])")
_ROWS = re.compile(r"\\\\")
_CELLS = re.compile(r"&")
_MATRIX = re.compile(
    r"[\[(]?\\begin\{(?P<kind>[pbBvV]?matrix|smallmatrix|array|cases)\}(?:\{[lcr|]*\})?(?P<rows>.*)"
    r"\\end\{(?P=kind)\}[\])]?",
    re.DOTALL,
)
_NESTED = re.compile(r"\[((?:[, ]*\[[^\[\]]*\]){2,})\]")
_EQUALS = re.compile(r"=|\\approx(?![A-Za-z])|\\equiv(?![A-Za-z])")
_EXACTLY = re.compile(r"=|\\equiv(?![A-Za-z])")
_RELATION = re.compile(r"[=<>]|\\(?:leq|geq|neq|approx|in)(?![A-Za-z])")
_NAMES = (
    r"(?:(?!\\(?:frac|sqrt|sin|cos|tan|log|ln|pi|infty)(?![A-Za-z]))\\[A-Za-z]+|[A-Za-z]{1,3}"
    r"|\\text\{[^{}]*\}|\|[A-Z]{1,3}\|)"
)
_NAME = re.compile(rf"{_NAMES} ?{_NAMES}?(?:_(?:\w|\{{[^{{}}]*\}}))?'*(?:\([A-Za-z\\ ,_0-9]*\))?")
_MEMBER = re.compile(r"[A-Za-z](?:_\w)?\\in ?(?![A-Za-z])")


@dataclass(frozen=True)
class Parts:
    """``kind``: ``(`` or ``[`` with its closing bracket, ``{}``, ``list``, ``union``, ``matrix``, ``|matrix|``."""

    kind: str
    items: tuple[str, ...]


@lru_cache(maxsize=4096)
def parts(text: str) -> Parts | None:
    """What a normal form consists of; None where it is one thing."""
    text = _MEMBER.sub("", text, count=1) if _MEMBER.match(text) else text
    if matrix := _MATRIX.fullmatch(text):
        return _matrix(matrix)
    if nested := _NESTED.fullmatch(text):
        return _grid([split(row.strip("[], "), _SEPARATOR) for row in nested[1].split("]")[:-1]])
    if len(unions := split(text, _CUP)) > 1:
        return Parts("union", tuple(unions))
    items = _items(text)
    if len(items) > 1:
        return Parts("list", tuple(items))
    if text.startswith(("(", "[", "\\{", "{")) and closing(text, text.index(text.lstrip("\\")[0])) == len(text) - 1:
        escaped = text.startswith("\\")
        inner = text[1 + escaped : -1 - escaped] if escaped else text[1:-1]
        items = _items(inner)
        if len(items) > 1 or escaped:
            return Parts("{}" if text[0] in "\\{" else text[0] + text[-1], tuple(items))
    return None


def _items(text: str) -> list[str]:
    if read(text) is not None:
        return [text]
    spaced = ", " in text and _THOUSANDS.search(text) is not None
    items = [item for item in split(text, _SPACED if spaced else _SEPARATOR) if item]
    if len(items) > MAX_PARTS:
        return [text]
    return [signed for item in _named_once(items) for signed in _both_signs(item)]


def _named_once(items: list[str]) -> list[str]:
    """``n=1, 2, 3`` is a list of three values of ``n``."""
    if len(items) > 1 and name_of(items[0]) is not None and not any(_RELATION.search(item) for item in items[1:]):
        return [value_of(items[0]), *items[1:]]
    return items


def _both_signs(item: str) -> list[str]:
    if item.count("\\pm") != 1 or "\\mp" in item or _is_set(item):
        return [item]
    return [item.replace("\\pm", sign).removeprefix("+").strip() for sign in "+-"]


def _is_set(item: str) -> bool:
    start = item.find("{")
    return item.startswith(("\\{", "{")) and closing(item, start) == len(item) - 1


def _matrix(found: re.Match[str]) -> Parts | None:
    rows = [row for row in split(re.sub(r"\\hline|\\\\\[[^\]]*pt\]", r"\\\\", found["rows"]), _ROWS) if row.strip()]
    cells = [cell for row in rows for cell in split(row, _CELLS)]
    if not rows or len(cells) > MAX_PARTS or any("\\begin" in cell for cell in cells):
        return None
    kind = {"cases": "list", "vmatrix": "|matrix|", "Vmatrix": "|matrix|"}.get(found["kind"])
    if kind is None:
        vector = len(rows) in (1, len(cells))
        kind = "vector" if vector else f"matrix of {len(rows)} rows"
    return Parts(kind, tuple(cells))


def _grid(rows: list[list[str]]) -> Parts | None:
    """``[[1,2],[3,4]]``, rows of one length."""
    rows = [[cell for cell in row if cell] for row in rows]
    cells = tuple(cell for row in rows for cell in row)
    if len({len(row) for row in rows}) != 1 or not cells or len(cells) > MAX_PARTS:
        return None
    return Parts("vector" if len(rows) == len(cells) else f"matrix of {len(rows)} rows", cells)


def alternatives(text: str) -> bool:
    """Whether ``or`` stands between values: several guesses, where the gold has one."""
    return _OR.search(f" {text} ") is not None


def turned(text: str) -> str:
    """``5=x`` as ``x=5``; everything else as it is."""
    sides = split(text, _EXACTLY)
    if len(sides) != 2 or not sides[0] or _NAME.fullmatch(sides[0]) or not _NAME.fullmatch(sides[1]):
        return text
    return f"{sides[1]}={sides[0]}"


def name_of(text: str) -> str | None:
    """What a normal form gives a value to: ``x`` in ``x=5``, ``(p,q)`` in ``(p,q)=(3,2)``; None for anything else."""
    sides = split(text, _EQUALS)
    if len(sides) < 2 or not sides[0]:
        return None
    left = sides[0]
    names = split(left[1:-1], re.compile(",")) if left[0] == "(" and left[-1] == ")" else split(left, re.compile(":"))
    return left if all(_NAME.fullmatch(name) for name in names) else None


def value_of(text: str, *, rounded: bool = False) -> str:
    r"""What stands behind the last equals sign; of ``1/3 \approx 0.33`` the exact side unless ``rounded``.

    Empty when the two sides are numbers that are far from one another: two guesses. A rounded side counts only beside
    an exact number that it can be held against.
    """
    last = split(text, _EXACTLY)[-1]
    sides = split(last, _EQUALS)
    if len(sides) == 1 or not sides[0] or _NAME.fullmatch(sides[0]):
        return sides[-1]
    first, second = read(sides[0]), read(sides[-1])
    if first is None or second is None:
        return sides[0]
    if abs(first.value - second.value) > CLOSE * abs(first.value):
        return ""
    return sides[-1] if rounded else sides[0]


def is_equation(text: str) -> bool:
    """Whether an equals sign stands outside all brackets."""
    return len(split(text, _EQUALS)) > 1


def is_relation(text: str) -> bool:
    """Whether an equality, an inequality or a membership stands anywhere in it."""
    return _RELATION.search(text) is not None
