"""Find the answer in what follows the thought: ``<answer>``, then ``\\boxed{}``, then ``#### x``, then the text itself.

All scans are linear in the text, whatever it holds.
"""

import re
from dataclasses import dataclass

_BOX = re.compile(r"\\f?boxed\s*\{")
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)


@dataclass(frozen=True)
class Found:
    """Every answer of the strongest kind, in order; none when a box was begun and not closed.

    ``marked`` is False when nothing marks the answer and the whole text stands in.
    """

    candidates: tuple[str, ...]
    marked: bool


def find_answers(text: str) -> Found:
    """The answers that ``text`` marks as such; whether several different ones are hedging is for the caller to judge.

    >>> find_answers("so <answer>it is \\\\boxed{7}</answer>").candidates
    ('7',)
    """
    tagged = _tagged(text)
    boxed = [box for part in tagged or [text] for box in _boxed(part)]
    for kind in (boxed, tagged, _hashed(text)):
        if kind:
            return Found(tuple(candidate.strip() for candidate in kind), marked=True)
    unfinished = _BOX.search(text) is not None
    return Found((), marked=True) if unfinished else Found((text.strip(),), marked=False)


def _tagged(text: str) -> list[str]:
    pieces = (piece.partition("</answer>") for piece in text.split("<answer>")[1:])
    return [inside for inside, closing, _ in pieces if closing]


def _boxed(text: str) -> list[str]:
    """Contents of the outermost boxes; a box whose brace is never closed is none."""
    boxes: list[str] = []
    position = 0
    while opening := _BOX.search(text, position):
        end = _closing_brace(text, opening.end())
        if end is None:
            break
        boxes.append(text[opening.end() : end])
        position = end + 1
    return boxes


def _closing_brace(text: str, start: int) -> int | None:
    depth = 1
    for token in _BRACE.finditer(text, start):
        depth += {"{": 1, "}": -1}.get(token[0], 0)
        if depth == 0:
            return token.start()
    return None


def _hashed(text: str) -> list[str]:
    return [piece.partition("\n")[0] for piece in text.split("####")[1:]]
