"""Inequalities in one letter as intervals: ``2 < x <= 3`` is ``(2,3]``, ``x > 7`` is ``(7, oo)``, "or" is a union."""

import re

from r1flow.components.rewards.mathematics.normal_form import split

_OPERATOR = re.compile(r"(<|>|\\[lg]eq(?![A-Za-z]))")
_OR = re.compile(r"\\text\{,? ?or ?\}| or |\\vee|\\lor(?![a-z])|,? ?(?:\\text\{,? ?or ?\})")
_BUILDER = re.compile(
    r"\\?\{ ?[A-Za-z](?:\\in ?(?:\\mathbb ?\{? ?R ?\}?|\\R|R))? ?(?:\||:|\\mid|\\vert|\\colon) ?([^{}|:]*?) ?\\?\}"
)
_ALL_REAL = re.compile(
    r"\\mathbb ?\{? ?R ?\}?|\\R|(?:\\text\{ ?)?all (?:real numbers|reals)(?: ?\})?|[A-Za-z]\\in ?\\mathbb ?\{? ?R ?\}?",
    re.IGNORECASE,
)
_ABSOLUTE = re.compile(
    r"(?:\||\\[lr]?vert ?)([A-Za-z])(?:\||\\[lr]?vert ?)(<|>|\\leq|\\geq) ?([\d.]+|\\frac\{\d+\}\{\d+\})"
)
_LETTER = re.compile(r"(?!e$|i$)(?:[A-Za-z]|\\(?:alpha|beta|gamma|theta|lambda|mu|phi|omega)(?![A-Za-z]))(?:_\w)?")
_REAL = r"(?:\\mathbb ?\{? ?R ?\}?|\\R)"
_POSITIVE = re.compile(rf"{_REAL}(?:[\^_]\{{?\+\}}?|_\{{?>0\}}?)")
_HOLE = re.compile(rf"(?:{_REAL} ?\\setminus ?\\\{{|[A-Za-z]\\neq ?)(-?(?:[\d.]+|\\frac\{{\d+\}}\{{\d+\}}))(?:\\\}})?")
_OUTWARD = re.compile(r"([\[(\]])([^\[\](){},]+),([^\[\](){},]+)([\])\[])")  # ]a,b[
_FLIPPED = {"<": ">", ">": "<", "\\leq": "\\geq", "\\geq": "\\leq"}


def as_interval(text: str) -> str | None:
    r"""The interval or union that a normal form of inequalities in one letter describes; None for anything else.

    >>> as_interval("2<x\\leq 3"), as_interval("x>7 or x<1")
    ('(2,3]', '(7,\\infty)\\cup(-\\infty,1)')
    """
    if builder := _BUILDER.fullmatch(text):
        text = builder[1]
    if _ALL_REAL.fullmatch(text):
        return "(-\\infty,\\infty)"
    if _POSITIVE.fullmatch(text):
        return "(0,\\infty)"
    if (hole := _HOLE.fullmatch(text)) and text.endswith("}") == ("setminus" in text or "frac" in text):
        return f"(-\\infty,{hole[1]})\\cup({hole[1]},\\infty)"
    if (outward := _OUTWARD.fullmatch(text)) and (outward[1] == "]" or outward[4] == "["):
        left, low, high, right = outward.groups()
        return f"{left.replace(']', '(')}{low},{high}{right.replace('[', ')')}"
    if absolute := _ABSOLUTE.fullmatch(text):
        return _absolute(absolute)
    letters, found = set(), []
    for part in split(text, _OR):
        interval = _one(part.strip(" ,"))
        if interval is None:
            return None
        letters.add(interval[0])
        found.append(interval[1])
    return "\\cup".join(found) if len(letters) == 1 else None


def _absolute(found: re.Match[str]) -> str:
    """``|x|<a`` lies between two numbers, ``|x|>a`` outside them."""
    _, operator, bound = found.groups()
    left, right = ("[", "]") if operator.startswith("\\") else ("(", ")")
    if operator in ("<", "\\leq"):
        return f"{left}-{bound},{bound}{right}"
    return f"(-\\infty,-{bound}{right}\\cup{left}{bound},\\infty)"


def _one(text: str) -> tuple[str, str] | None:
    pieces = [piece.strip() for piece in _OPERATOR.split(text)]
    if len(pieces) == 3:
        left, operator, right = pieces
        if _LETTER.fullmatch(right):
            left, operator, right = right, _FLIPPED[operator], left
        if not _LETTER.fullmatch(left) or not right or left in right:
            return None
        closed = operator.startswith("\\")
        if operator in ("<", "\\leq"):
            return left, f"(-\\infty,{right}{']' if closed else ')'}"
        return left, f"{'[' if closed else '('}{right},\\infty)"
    if len(pieces) == 5:
        low, first, letter, second, high = pieces
        if first in (">", "\\geq"):
            low, first, second, high = high, _FLIPPED[second], _FLIPPED[first], low
        if not _LETTER.fullmatch(letter) or first not in ("<", "\\leq") or second not in ("<", "\\leq"):
            return None
        if not low or not high:
            return None
        return letter, f"{'(' if first == '<' else '['}{low},{high}{')' if second == '<' else ']'}"
    return None
