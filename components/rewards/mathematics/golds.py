"""Gold answers that cannot be what somebody meant: cut off, unbalanced, an operator without its operand."""

import re

from r1flow.components.rewards.mathematics.normal_form import closing
from r1flow.components.rewards.mathematics.words import is_words

_BRACE = re.compile(r"\\[\\{}]|[{}]")
_TAKES_ARGUMENTS = re.compile(r"\\(frac|sqrt|binom)(?![A-Za-z])")
_DANGLING = re.compile(
    r"(?<![\^A-Za-z_])[+-]$|[*/=<>^_&]$|\\(?:cdot|times|leq|geq|neq|pm|mp|in|cup|cap|frac|sqrt)$|^[=^_/&]"
)
_EMPTY_GROUP = re.compile(r"\\(?:frac|sqrt|binom) ?(?:\[[^\]]*\])?(?:\{[^{}]*\})?\{ ?\}")
_LABEL = re.compile(r"\(?[A-Za-z\d][.):]")


def is_broken(gold: str) -> bool:
    r"""Whether a normal form is no complete expression.

    >>> is_broken("\\frac{"), is_broken("x="), is_broken("[0,1)")
    (True, True, False)
    """
    if gold.count("\\begin{") != gold.count("\\end{") or _unbalanced_braces(gold):
        return True
    if any(not _has_arguments(gold, found) for found in _TAKES_ARGUMENTS.finditer(gold)):
        return True
    if is_words(gold) or "\\text" in gold:
        return False
    opened, closed = (sum(map(gold.count, brackets)) for brackets in ("([", ")]"))
    if opened != closed and not _LABEL.match(gold):
        return True
    return _DANGLING.search(gold) is not None or _EMPTY_GROUP.search(gold) is not None


def _unbalanced_braces(gold: str) -> bool:
    depth = 0
    for token in _BRACE.findall(gold):
        depth += {"{": 1, "}": -1}.get(token, 0)
        if depth < 0:
            return True
    return depth != 0


def _has_arguments(gold: str, found: re.Match[str]) -> bool:
    """Whether something stands where the arguments do; LaTeX takes a lone token without braces."""
    position = found.end()
    if found[1] == "sqrt" and gold[position : position + 1] == "[":
        end = closing(gold, position)
        if end is None:
            return False
        position = end + 1
    for _ in range(1 if found[1] == "sqrt" else 2):
        while gold[position : position + 1] == " ":
            position += 1
        if position >= len(gold) or gold[position] in ")}]=,;":
            return False
        end = closing(gold, position) if gold[position] == "{" else position
        if end is None:
            return False
        position = end + 1
    return True
