"""The last expression of a text in words: where no mark sets the answer apart, it is what the text ends with.

Expressions that a comma or a conjunction joins are one answer, so that a list of guesses stays a list of guesses.
"""

import itertools
import re

from r1flow.components.rewards.mathematics.negation import denied, refuted

MAX_TAIL = 4000  # characters from the end that are read

_NUMERIC = re.compile(r"[-+$\s]*[\d.,]+%?\s*")
_NOT_WORDS = re.compile(r"\\(?:begin|end|text\w*|math\w+|mbox)\s*\{[^{}]*\}|\\[A-Za-z]+")
_WORD = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]|[^\W\d_]{2,}")
_NUMBER = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d{1,3}(?: \d{3})+(?!\d)|\d+(?:,\d{1,2}(?![\d,]))?)(?:\.\d+)?|\.\d+"
_FRACTION = r"\\[dtc]?frac\s?\{[^{}]{1,80}\}\s?\{[^{}]{1,80}\}"
_ROOT = r"\\sqrt\s?\{[^{}]{1,80}\}"
_TERM = (
    rf"[-+\u2212]?[$\u20ac\u00a3\u00a5]?(?:(?:{_NUMBER})(?:\s?/\s?\d+|\s\d+/\d+)?(?:{_FRACTION}|{_ROOT})?"
    rf"|{_FRACTION}|{_ROOT})"
)
_MATHS = re.compile(
    r"\$\$(?P<display>(?:[^$]){1,2000}?)\$\$|\\\[(?P<bracket>.{1,2000}?)\\\]|\\\((?P<paren>.{1,2000}?)\\\)"
    r"|(?<![\\\d])\$(?P<dollar>(?:\\.|[^$\\\n]){1,1000}?)(?<!\\)\$(?!\d)"
    rf"|(?<![A-Za-z\d_.\\])(?P<plain>\({{0,6}}{_TERM}\){{0,6}}(?:\s?(?:[-+*/^=\u00d7\u00f7\u2212]|\\times|\\cdot)\s?\({{0,6}}{_TERM}\){{0,6}})*)"
    r"(?P<percent>\s?(?:\\?%|percent(?:age)?\b|pct\b))?",
    re.DOTALL,
)
_JOINED = re.compile(r"\s*(?:,|;|\u3001|\u548c|\u6216|and|or|et|ou|y|o|und|oder|(?:,\s*)(?:and|or)|or maybe|/)?\s*")
_EITHER = re.compile(r"(?:\b(?:or|ou|o|oder)\b|\u6216)")
_POINTS = re.compile(r"[A-Z]{2,3}")  # segments and angles
_LEADS_IN = re.compile(r"(?!sin|cos|tan|cot|sec|csc|log|exp|sqrt|max|min|gcd|lcm)[A-Za-z]{3,}[: ]\s*[-+.$]?\d")
_GOES_ON = re.compile(r"\s?(?:[+*/^]|-(?=\S))\s?\(?[A-Za-z](?![A-Za-z])")  # 7 + x is not 7
_HOPE = re.compile(r"I hope it is correct\.?", re.IGNORECASE)
_MARKER = re.compile(r"^\s*(?:\d{1,2}[.)]|Step \d+:?)(?=\s)", re.MULTILINE)


def is_prose(text: str) -> bool:
    """Two words and more outside LaTeX, or mathematics set off inside a sentence."""
    if _NUMERIC.fullmatch(text):
        return False
    inner = text.strip()
    if len(inner) > 2 and inner[0] == "$" == inner[-1]:
        inner = inner.strip("$")
    elif inner.startswith(("\\(", "\\[")) and inner.endswith(("\\)", "\\]")):
        inner = inner[2:-2]
    if re.search(r"(?<!\\)\$(?!\d)|\\\(|\\\[", inner):
        return True
    words = [word for word in _WORD.findall(_NOT_WORDS.sub(" ", inner)) if not _POINTS.fullmatch(word)]
    return len(words) > 1 or _LEADS_IN.match(inner) is not None


def final_expression(text: str) -> str | None:
    """The last number or formula, with what a list joins to it; None for a question and for a text without any."""
    text = _MARKER.sub("", _HOPE.sub("", text[-MAX_TAIL:])).rstrip()
    if text.endswith(("?", "\uff1f")):
        return None
    found = list(_MATHS.finditer(text))
    if not found:
        return None
    first = len(found) - 1
    while first and _JOINED.fullmatch(text, found[first - 1].end(), found[first].start()):
        first -= 1
    run = found[first:]
    before = text[found[first - 1].end() if first else 0 : run[0].start()]
    if denied(before) or refuted(text, run[-1].end()):
        return None
    if run[-1]["plain"] is not None and _GOES_ON.match(text, run[-1].end()):
        return None
    if len(run) == 1:
        return _inside(run[0])
    between = [text[a.end() : b.start()] for a, b in itertools.pairwise(run)]
    joint = " or " if any(_EITHER.search(gap) for gap in between) else ", "
    return joint.join(_inside(part) for part in run)


def _inside(found: re.Match[str]) -> str:
    kinds = ("display", "bracket", "paren", "dollar", "plain")
    inside = next(part for name in kinds if (part := found[name]) is not None).strip()
    if found["plain"] is not None:
        inside = inside.rpartition("=")[2].strip()
        opened, closed = inside.count("("), inside.count(")")
        inside = inside.rstrip(")") + ")" * min(opened, closed) if closed > opened else inside
        inside = inside.lstrip("(") if opened > closed else inside
    return inside + ("%" if found["percent"] else "")
