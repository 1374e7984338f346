"""Multiple choice: which letters an answer names. Bounded time; no algebra.

A marked answer (tags, a box, ``Answer: B``, "the answer is (B)", bold) decides; then a letter that the text begins
with (``B. because ...``); then the letters that the text asserts, where "not A" and "it can't be A or B" assert
nothing. Two different asserted letters are no answer, unless a word that concludes ("therefore", "final") stands
before the last of them.
"""

import re

from r1flow.components.core.verdict import Verdict
from r1flow.components.rewards.base import Score
from r1flow.components.rewards.mathematics.extraction import find_answers

MAX_CHARS = 20_000

_FENCE = re.compile(r"\\(?:text|textbf|mathrm|mathbf|boxed|fbox)\s*\{|[{}$*_`]|\\[()\[\]]|<[^<>]{1,40}>")
_LATIN = "A-Za-z\\d\u00c0-\u024f"
_LETTER = rf"(?<![{_LATIN}])\(?([A-Z])\)?(?![{_LATIN}'\u2019])"
_NAMED = re.compile(r"\W*(?:the )?(?:option|choice|answer)\s*(?:is\s*)?\(?([A-Z])\)?\W*", re.IGNORECASE)
_ONE = re.compile(r"\W*([A-Za-z])\W*")
_HEAD = re.compile(r"\s*(?:\(([A-Z])\)|\[([A-Z])\]|([A-Z])(?=\s*(?:[.:),\uff0c\u3002\uff1a]|$|\n)))", re.ASCII)
_MANY = re.compile(r"\W*[A-Za-z](?:\W*(?:,|;|and|&|/|\s)\W*[A-Za-z])+\W*|\W*[A-Z]{2,8}\W*")
_IS = re.compile(
    r"(?:answer|option|choice|r\u00e9ponse|respuesta|antwort|risposta|resposta|\u7b54\u6848|\u9009\u62e9?)"
    r"[^.\n\u3002]{0,60}?(?:\bis|:|=|\uff1a|\u662f|\best|\bes|\bist|\u9009)?[^.\n\u3002]{0,40}?" + _LETTER,
    re.IGNORECASE,
)
_EITHER = re.compile(
    r"\W*(?:either\s+)?\(?[A-Z]\)?(?:\s*,?\s*(?:or|/|,|ou|o|oder|\u6216)\s*(?:maybe\s+|perhaps\s+)?\(?[A-Z]\b\)?)+\W*"
)
_MORE = re.compile(
    r"\s*(?:,|/|&|\b(?:or|and|ou|oder|maybe|perhaps)\b|\u6216|\u548c)[\s(]*(?:maybe\s+|perhaps\s+|or\s+)?([A-Z])\b\)?"
)
_ASSERTED = re.compile(_LETTER)
_NEGATED = re.compile(
    r"(?:\b(?i:not|isn't|is not|anything but|everything but|all but|except|other than"
    r"|can't be|cannot be|can't|won't be|nor|neither|non|pas|no es|nicht|unlike|rather than"
    r"|instead of|exclude|rule out|eliminate|reject)|\u4e0d\u662f|\u6392\u9664)\s*(?:be\s|option\s|choice\s|answer\s)?"
    r"\s*\(?[A-Z]\)?(?:\s*(?:,|or|and|nor|/|\u6216|\u548c)\s*\(?[A-Z]\)?(?![A-Za-z]))*"
)
_REFUTED = re.compile(
    r"\(?\b[A-Z]\)?\s+(?:is|are|would be|seems)\s+(?:\w+\s+)?(?:wrong|incorrect|false|impossible|excluded|ruled out|eliminated"
    r"|not\s+\w+)|\(?\b[A-Z]\)?\s+(?:is|was)n['\u2019]t\b"
)
_CONCLUDES = re.compile(
    r"(?:therefore|thus|hence|so|final\w*|conclu\w*|correct|\u56e0\u6b64|\u6240\u4ee5|donc)\b", re.IGNORECASE
)
_LOWER_CASE = re.compile(r"\s+(?!(?:or|and|is|are|nor|but|also)\b)[a-z]")


def judge_choice(gold: str, text: str) -> Score:
    """CORRECT when ``text`` names exactly the letters of ``gold`` (``B``, ``(B)``, ``B. Paris``, ``A, C``)."""
    wanted = letters_of(gold)
    if wanted is None:
        return Score.unusable("the gold answer names no letter")
    if not text.strip():
        return Score.of(Verdict.WRONG, detail="no answer")
    named = find_choice(text)
    if named is None:
        return Score.of(Verdict.UNPARSEABLE, detail="no letter is named")
    verdict = Verdict.CORRECT if named == wanted else Verdict.WRONG
    return Score.of(verdict, extracted="".join(sorted(named)))


def find_choice(text: str) -> frozenset[str] | None:
    """The letters that ``text`` answers with; several where it hedges; None when it names none."""
    text = text[-MAX_CHARS:]
    found = find_answers(text)
    if found.marked:
        answers = (_positive(candidate) for candidate in (*found.candidates, *found.others))
        named = [letters for answer in answers if (letters := letters_of(answer)) is not None]
        if named:
            return frozenset().union(*named)
        if any(mark in text for mark in ("boxed", "<answer>")):
            return None
    plain = _positive(_FENCE.sub(" ", text))
    return letters_of(plain) or _asserted(plain)


def letters_of(answer: str) -> frozenset[str] | None:
    """The letters of an answer that is nothing else, or that begins with one; None for any other text.

    >>> sorted(letters_of("(A), (C)")), letters_of("A dog")
    (['A', 'C'], None)
    """
    plain = _FENCE.sub(" ", answer).strip()
    if one := _ONE.fullmatch(plain) or _NAMED.fullmatch(plain):
        return frozenset(one[1].upper())
    if _MANY.fullmatch(plain) and not re.search(r"\b(?:or|maybe)\b", plain):
        stripped = re.sub(r"\band\b", " ", plain)
        if re.fullmatch(r"[A-Z\W]+|(?:\W*\b[a-z]\b)+\W*", stripped):
            return frozenset(character.upper() for character in stripped if character.isalpha())
    if either := _EITHER.fullmatch(plain):
        return frozenset(re.findall(r"\b[A-Z]\b", either[0]))
    if head := _HEAD.match(plain):
        return frozenset(next(part for part in head.groups() if part))
    first = re.match(r"([A-Z])\s+[A-Z][a-z]", plain)
    return frozenset(first[1]) if first else None


def _positive(text: str) -> str:
    """Without the letters that it denies."""
    return _REFUTED.sub(" ", _NEGATED.sub(" ", text))


def _asserted(positive: str) -> frozenset[str] | None:
    said: list[str] = []
    for found in _IS.finditer(positive):
        if found[1].isupper():
            said.append(found[1])
            position = found.end()
            while more := _MORE.match(positive, position):
                said.append(more[1])
                position = more.end()
    if len(set(said)) > 1 and not _CONCLUDES.search(positive):
        return frozenset(said)
    if said and len(set(said)) == 1:
        return frozenset(said)
    letters = [found for found in _ASSERTED.finditer(positive) if not _is_word(positive, found)]
    if not letters:
        return None
    distinct = {found[1] for found in letters}
    if len(distinct) > 1:
        before = positive[letters[-2].end() : letters[-1].start()]
        if _CONCLUDES.search(before) and not re.search(r"\bor\b", before):
            return frozenset(letters[-1][1])
    return frozenset(distinct)


def _is_word(text: str, found: re.Match[str]) -> bool:
    """The article "A" and the pronoun "I" before a lower-case word."""
    return found[0] in ("A", "I") and _LOWER_CASE.match(text, found.end()) is not None
