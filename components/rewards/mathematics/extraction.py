r"""Find the answer in what follows the thought.

The strongest kind of mark that occurs decides, and every mark of that kind is an answer: Minerva's closing sentence
("Final Answer: The final answer is X. I hope it is correct."), ``<answer>``, ``\boxed{}``, ``#### x``, then
``Answer: x``, ``A: x`` at the start of a line and "the answer is x" (also in Chinese, French, Spanish, German,
Portuguese, Italian, Russian and Japanese), then bold mathematics, then the last expression of the text. What marks of
another kind say beside it is reported. All scans are linear in the text, whatever it holds.
"""

import re
from dataclasses import dataclass

from r1flow.components.rewards.mathematics.negation import denies_mark
from r1flow.components.rewards.mathematics.prose import final_expression, is_prose

MAX_MARKS = 64  # sentences that say what the answer is; the last ones count

_ANY_DIGIT = re.compile(r"[\d\\A-Z]")
_BOX = re.compile(r"\\(?:boxed|fbox|framebox)\s*(?:\{|(?=[\w.+-]))")
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
    r"|(?:\u7b54\u6848|\u7b54\u3048)[ \t]*(?:[:\uff1a]|\u662f|\u4e3a|\u306f)"
    r"|^#{1,6}[ \t]*(?:the )?(?:final )?answer[ \t]*:?[ \t]*$",
    re.IGNORECASE | re.MULTILINE,
)
_MARK_A = re.compile(r"^(?:\*\*)?[Aa]:(?:\*\*)?(?=[ \t])", re.MULTILINE)
_MARK_WORDS = (
    *("answer", "r\u00e9ponse", "respuesta", "antwort", "resposta", "risposta"),
    *("\u043e\u0442\u0432\u0435\u0442", "\u7b54\u6848", "\u7b54\u3048"),
)
_SENTENCE_END = re.compile(r"\.(?=\s+[A-Z\\]|\s*$)|\u3002")
_NOT_BUT = re.compile(r"^\s*not\s[^.\n]{1,60}?\bbut\s+(?:rather\s+)?", re.IGNORECASE)
_RETRACTED = re.compile(
    r"^\s*(?:\w+\s+){0,2}(?:not|nicht|pas|non|n\u00e3o|kein\w*)\b|\b(?:wrong|incorrect|mistake|not correct"
    r"|no longer|guess|nope|scratch that)\b",
    re.IGNORECASE,
)
_REMARK = re.compile(
    r"\W*(?:correct|right|above|below|final|unique|verified|confirmed|complete|boxed|valid|clear|done|true)\W*",
    re.IGNORECASE,
)
_DISPLAY_END = {"\\[": "\\]", "$$": "$$", "$\n": "$"}
_VALUE = re.compile(r"[\d$\\]")
_NUMERIC = re.compile(r"[ \t]*-?\$?(?:\d+|\d{1,3}(?:,\d{3})+)(?:\.\d+)?[ \t]*")
_BOLD = re.compile(r"\*\*([^*\n]{1,200})\*\*")


@dataclass(frozen=True)
class Span:
    """What a box or a pair of tags holds, and where it begins and ends in the text."""

    inside: str
    start: int
    end: int


@dataclass(frozen=True)
class Found:
    """Every answer of the strongest kind, in order; none when a box was begun and not closed, or nothing is there.

    ``marked`` is False when nothing marks the answer and the text itself, or its last expression, stands in.
    ``others`` are what weaker marks give beside it: where one of them says something else, the text hedges.
    """

    candidates: tuple[str, ...]
    marked: bool
    others: tuple[str, ...] = ()


def find_answers(text: str) -> Found:
    """The answers that ``text`` marks as such; whether several different ones are hedging is for the caller to judge.

    A box inside the tags is the tags' answer; one outside stands beside it, and so does whatever is said behind the
    last mark. What is said before a box leads up to it.

    >>> find_answers("so <answer>it is \\\\boxed{7}</answer>").candidates
    ('7',)
    """
    if "<" in text and ("<|" in text or "<e" in text):
        text = _until_special(text)
    tags = _tags(text) if "</answer>" in text else []
    if "box" in text:
        boxes, closed = _boxes(text)
    else:
        boxes, closed = [], True
    if not tags and "hope" in text:
        closing = [end[1] for end in _MINERVA.finditer(text[-2000:]) if "boxed" not in end[1]][-1:]
        if kept := _cleaned(closing):
            return Found(tuple(kept), marked=True)
    if tags:
        return _found_in_tags(text, tags, boxes)
    if boxes:
        return Found(tuple(box.inside for box in boxes), marked=True, others=_behind(text, boxes[-1].end))
    hashed = _hashed(text)
    if hashed:
        return Found(tuple(hashed), marked=True, others=_behind(text, text.rindex("####") + 4))
    if not closed:
        return Found((), marked=True)
    return _found_in_words(text)


def _found_in_tags(text: str, tags: list[Span], boxes: list[Span]) -> Found:
    inside: list[str] = []
    outside: list[str] = []
    numbered = iter(tags)
    tag = next(numbered)
    for box in boxes:
        while tag.end <= box.start and tag is not tags[-1]:
            tag = next(numbered)
        (inside if tag.start < box.start < tag.end else outside).append(box.inside)
    answers = inside or [_innermost(tag.inside) for tag in tags]
    others = (*outside, *_behind(text, tags[-1].end))
    return Found(tuple(answer.strip() for answer in answers), marked=True, others=others)


def _found_in_words(text: str) -> Found:
    said = _said(text)
    if said is None:
        return Found((), marked=True)
    if said:
        return Found(tuple(said), marked=True)
    if "<<" in text:
        text = _CALCULATOR.sub("", text)
    if bold := _bold(text) if "**" in text else []:
        return Found(tuple(bold), marked=True)
    if not is_prose(text):
        return Found((text.strip(),) if text.strip() else (), marked=False)
    expression = final_expression(text)
    return Found(() if expression is None else (expression,), marked=False)


def _behind(text: str, position: int) -> tuple[str, ...]:
    """Values that weaker marks give after ``position``; a sentence that goes on in words gives none."""
    rest = text[position:]
    if len(rest) < 4 or not _ANY_DIGIT.search(rest):
        return ()
    others = [line for line in _hashed(rest) if _VALUE.search(line)]
    others += [line for line in _said(rest) or [] if not _REMARK.fullmatch(line)]
    return tuple(line.strip() for line in others if len(line) < 200 and not is_prose(line))


def _until_special(text: str) -> str:
    """Without what a model that runs on writes behind its end-of-turn token."""
    position = 0
    while (found := _SPECIAL.search(text, position)) and not text[: found.start()].strip():
        position = found.end()
    return text[position : found.start()] if found else text[position:]


def _tags(text: str) -> list[Span]:
    """Pairs of tags, each from the last opening one before its closing one."""
    tags: list[Span] = []
    position = 0
    while (end := text.find("</answer>", position)) >= 0:
        start = text.rfind("<answer>", position, end)
        position = end + len("</answer>")
        if start >= 0:
            tags.append(Span(text[start + len("<answer>") : end], start, position))
    return tags


def _innermost(inside: str) -> str:
    """What a sentence between tags gives as the answer; ``inside`` itself where it is no sentence."""
    if not is_prose(inside):
        return inside
    found = find_answers(inside)
    return found.candidates[-1] if len(set(found.candidates)) == 1 else inside


def _boxes(text: str) -> tuple[list[Span], bool]:
    """The outermost boxes, and whether all are closed; one whose brace is never closed is none."""
    boxes: list[Span] = []
    position = 0
    while opening := _BOX.search(text, position):
        if text[opening.end() - 1] != "{":
            bare = _BARE_BOX.match(text, opening.end())
            inside = bare[0] if bare else ""
            position = opening.end() + len(inside)
            boxes.append(Span(inside.strip(), opening.start(), position))
            continue
        end = _closing_brace(text, opening.end())
        if end is None:
            return boxes, False
        if not _PLACEHOLDER.fullmatch(text, opening.end(), end):
            boxes.append(Span(text[opening.end() : end].strip(), opening.start(), end + 1))
        position = end + 1
    return boxes, not boxes


def _closing_brace(text: str, start: int) -> int | None:
    depth = 1
    for token in _BRACE.finditer(text, start):
        depth += {"{": 1, "}": -1}.get(token[0], 0)
        if depth == 0:
            return token.start()
    return None


def _hashed(text: str) -> list[str]:
    return [piece.partition("\n")[0].strip() for piece in text.split("####")[1:]] if "####" in text else []


def _said(text: str) -> list[str] | None:
    """What follows ``Answer:`` and its like up to the end of the sentence; a line that takes it back is passed over.

    None when every one is taken back.
    """
    marks = _marks(text)
    kept: list[str] = []
    retracted = False
    for index, (start, end) in enumerate(marks):
        until = marks[index + 1][0] if index + 1 < len(marks) else len(text)
        rest = text[end:until].lstrip(" \t\n*")
        closing = _DISPLAY_END.get(rest[:2])
        line = (rest[: rest.find(closing, 2) + 2] if closing and closing in rest[2:] else rest.partition("\n")[0])[
            :2000
        ]
        leads_on = until < len(text) and until <= end + len(line) + 3 and not _VALUE.search(line)
        if "<<" in line:
            line = _CALCULATOR.sub("", line)
        if "not " in line:
            line = _NOT_BUT.sub("", line)
        begins_line = not start or text[start - 1] == "\n"
        if not (begins_line and _NUMERIC.fullmatch(line)) and _takes_back(text, start, line):
            retracted = True
            continue
        if leads_on or not line.strip():
            continue  # "Final answer: the answer is 7" is one answer
        kept.append(line)
    return None if retracted and not kept else _cleaned(kept)


def _takes_back(text: str, start: int, line: str) -> bool:
    return _RETRACTED.search(line) is not None or denies_mark(text[max(0, start - 60) : start])


def _marks(text: str) -> list[tuple[int, int]]:
    """Where the last marks in words begin and end."""
    marks = [found.span() for found in _MARK_A.finditer(text)] if "A:" in text or "a:" in text else []
    lowered = text.lower()
    for word in _MARK_WORDS:
        if word in lowered:
            marks = sorted((*marks, *(found.span() for found in _MARK.finditer(text))))
            break
    return marks[-MAX_MARKS:]


def _cleaned(lines: list[str]) -> list[str]:
    found = []
    for line in lines:
        if _NUMERIC.fullmatch(line):
            found.append(line.strip())
            continue
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
