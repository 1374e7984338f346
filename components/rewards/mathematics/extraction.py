r"""Find the answer in what follows the thought.

The strongest kind of mark that occurs decides, and every mark of that kind is an answer: Minerva's closing sentence
("Final Answer: The final answer is X. I hope it is correct."), ``<answer>``, ``\boxed{}``, ``#### x``, then
``Answer: x``, ``A: x`` at the start of a line and "the answer is x" (also in Chinese, French, Spanish, German,
Portuguese, Italian, Russian and Japanese), then bold mathematics, then the last expression of the text. All scans are
linear in the text, whatever it holds.
"""

import re
from dataclasses import dataclass

from components.rewards.mathematics.prose import final_expression, is_prose

MAX_MARKS = 64  # sentences that say what the answer is; the last ones count

_BOX = re.compile(r"\\f?boxed\s*(?:\{|(?=[\w.+-]))")
_BARE_BOX = re.compile(r"[\w.+-]+")
_PLACEHOLDER = re.compile(r"(?:\s|\\q?quad|\\[,;: ]|\\h?v?phantom\{[^{}]*\})+")  # "fill in the box"
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_SPECIAL = re.compile(r"<\|[^|<>\s]{1,40}\|>|<(?:end_of_turn|eos)>")
_CALCULATOR = re.compile(r"<<[^<>\n]{0,200}>>")
_MINERVA = re.compile(
    r"final answer(?: is)?:?[ \t]*(?:the final answer is)?:?[ \t]*([^\n]{1,1000}?)\.?[ \t]*I hope", re.IGNORECASE
)
_MARK = re.compile(
    r"(?:^|(?<=[\s*_#>.:\uff0c\u3002,(]))(?:(?:final |correct |the )?answer(?:\*\*)?[ \t]*(?::|=|is\b|would be\b|\uff1a)(?:\*\*)?"
    r"|r\u00e9ponse(?: finale)?[ \t]*(?::|est\b)|respuesta(?: final)?[ \t]*(?::|es\b)|antwort[ \t]*(?::|ist\b|lautet\b)"
    r"|resposta[ \t]*(?::|\u00e9\b)|risposta[ \t]*(?::|\u00e8\b)|\u043e\u0442\u0432\u0435\u0442[ \t]*:)"
    r"|(?:\u7b54\u6848|\u7b54\u3048)[ \t]*(?:[:\uff1a]|\u662f|\u4e3a|\u306f)",
    re.IGNORECASE,
)
_MARK_A = re.compile(r"^(?:\*\*)?[Aa]:(?:\*\*)?(?=[ \t])", re.MULTILINE)
_MARK_WORDS = (
    *("answer", "r\u00e9ponse", "respuesta", "antwort", "resposta", "risposta"),
    *("\u043e\u0442\u0432\u0435\u0442", "\u7b54\u6848", "\u7b54\u3048"),
)
_SENTENCE_END = re.compile(r"\.(?=\s+[A-Z\\]|\s*$)|\u3002")
_RETRACTED = re.compile(
    r"^(?:\w+\s+){0,2}not\b|\b(?:wrong|incorrect|mistake|not correct|no longer|guess|nope|scratch that)\b",
    re.IGNORECASE,
)
_DISPLAY_END = {"\\[": "\\]", "$$": "$$", "$\n": "$"}
_VALUE = re.compile(r"[\d$\\]")
_BOLD = re.compile(r"\*\*([^*\n]{1,200})\*\*")


@dataclass(frozen=True)
class Found:
    """Every answer of the strongest kind, in order; none when a box was begun and not closed, or nothing is there.

    ``marked`` is False when nothing marks the answer and the text itself, or its last expression, stands in.
    """

    candidates: tuple[str, ...]
    marked: bool


def find_answers(text: str) -> Found:
    """The answers that ``text`` marks as such; whether several different ones are hedging is for the caller to judge.

    >>> find_answers("so <answer>it is \\\\boxed{7}</answer>").candidates
    ('7',)
    """
    text = _until_special(text)
    tagged = _tagged(text)
    boxed = [box for part in tagged or [text] for box in _boxed(part)]
    closing = [] if tagged else [end[1] for end in _MINERVA.finditer(text[-2000:]) if "boxed" not in end[1]][-1:]
    for kind in (_cleaned(closing), boxed, tagged, _hashed(text)):
        if kind:
            return Found(tuple(candidate.strip() for candidate in kind), marked=True)
    if _BOX.search(text):
        return Found((), marked=True)
    text = _CALCULATOR.sub("", text)
    said = _said(text)
    if said is None:
        return Found((), marked=True)
    for kind in (said, _bold(text)):
        if kind:
            return Found(tuple(kind), marked=True)
    if not is_prose(text):
        return Found((text.strip(),) if text.strip() else (), marked=False)
    expression = final_expression(text)
    return Found(() if expression is None else (expression,), marked=False)


def _until_special(text: str) -> str:
    """Without what a model that runs on writes behind its end-of-turn token."""
    position = 0
    while (found := _SPECIAL.search(text, position)) and not text[: found.start()].strip():
        position = found.end()
    return text[position : found.start()] if found else text[position:]


def _tagged(text: str) -> list[str]:
    pieces = (piece.partition("</answer>") for piece in text.split("<answer>")[1:])
    return [_innermost(inside) for inside, closing, _ in pieces if closing]


def _innermost(inside: str) -> str:
    """What a sentence between tags gives as the answer; ``inside`` itself where it is no sentence."""
    if _BOX.search(inside) or not is_prose(inside):
        return inside
    found = find_answers(inside.replace("<answer>", ""))
    return found.candidates[-1] if len(set(found.candidates)) == 1 else inside


def _boxed(text: str) -> list[str]:
    """Contents of the outermost boxes; a box whose brace is never closed is none."""
    boxes: list[str] = []
    position = 0
    while opening := _BOX.search(text, position):
        if text[opening.end() - 1] != "{":
            bare = _BARE_BOX.match(text, opening.end())
            boxes.append(bare[0] if bare else "")
            position = opening.end() + len(boxes[-1])
            continue
        end = _closing_brace(text, opening.end())
        if end is None:
            break
        if not _PLACEHOLDER.fullmatch(text, opening.end(), end):
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


def _said(text: str) -> list[str] | None:
    """What follows ``Answer:`` and its like up to the end of the sentence; a line that takes it back is passed over.

    None when every one is taken back.
    """
    marks = list(_MARK_A.finditer(text))
    lowered = text.lower()
    if any(word in lowered for word in _MARK_WORDS):
        marks = sorted((*marks, *_MARK.finditer(text)), key=re.Match.start)
    marks = marks[-MAX_MARKS:]
    kept: list[str] = []
    retracted = False
    for index, mark in enumerate(marks):
        until = marks[index + 1].start() if index + 1 < len(marks) else len(text)
        rest = text[mark.end() : until].lstrip(" \t\n*")
        end = _DISPLAY_END.get(rest[:2])
        line = (rest[: rest.find(end, 2) + 2] if end and end in rest[2:] else rest.partition("\n")[0])[:2000]
        leads_on = until < len(text) and until <= mark.end() + len(line) + 3 and not _VALUE.search(line)
        if _RETRACTED.search(line):
            retracted = True
            continue
        if leads_on or not line.strip():
            continue  # "Final answer: the answer is 7" is one answer
        kept.append(line)
    return None if retracted and not kept else _cleaned(kept)


def _cleaned(lines: list[str]) -> list[str]:
    found = []
    for line in lines:
        sentence = _SENTENCE_END.split(line, maxsplit=1)[0].strip(' \t*"_')
        answer = final_expression(sentence) if is_prose(sentence) else sentence
        if answer is None:
            answer = sentence
        if answer.strip(" .:*"):
            found.append(answer)
    return found


def _bold(text: str) -> list[str]:
    """The last bold text with a digit in it, when nothing numeric follows it."""
    bold = [found for found in _BOLD.finditer(text) if any(character.isdigit() for character in found[1])]
    if not bold or any(character.isdigit() for character in text[bold[-1].end() :]):
        return []
    inside = bold[-1][1]
    expression = final_expression(inside) if is_prose(inside) else inside
    return [] if expression is None else [expression]
