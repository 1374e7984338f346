"""The verdict on an answer in mathematics, in full or as far as bounded time goes."""

import re
from dataclasses import dataclass
from functools import lru_cache

from r1flow.components.core.verdict import Verdict
from r1flow.components.rewards.base import Score
from r1flow.components.rewards.mathematics.equivalence import Algebra, equal
from r1flow.components.rewards.mathematics.extraction import Found, find_answers
from r1flow.components.rewards.mathematics.golds import is_broken
from r1flow.components.rewards.mathematics.normal_form import MAX_CHARS, normal
from r1flow.components.rewards.mathematics.symbolic import UnreadableGold, algebra, readable
from r1flow.components.rewards.mathematics.words import is_words, key

MAX_ANSWERS = 16  # different marked answers
MAX_TEXT = 200_000  # characters of an answer; a longer one is refused unread
REMEMBERED = 600  # characters of an answer whose verdict is kept

_VALUE = re.compile(r"[\d\\]")
_Judged = tuple[Verdict, str | None]


class _NeedsAlgebra(Exception):
    """Raised in place of an algebraic comparison where only bounded time is allowed."""


@dataclass(frozen=True)
class _Gold:
    """The answer, the normal form of the whole text, and the key of an answer in words."""

    answer: str
    text: str
    key: str | None


def judge(gold: str, text: str) -> Score:
    """CORRECT when the answer that ``text`` marks is ``gold``; ``text`` is what follows the thought.

    WRONG: another answer, several different ones, or nothing at all. UNPARSEABLE: no answer to be found, or one that
    cannot be read or would be too costly to evaluate. Unusable when ``gold`` itself holds no answer that can be read.
    May take any time on hostile input: run it in a process that can be killed. Raises MemoryError, which only that
    process can make a verdict of.
    """
    return _decide(gold, text, algebra)


def quick(gold: str, text: str) -> Score | None:
    """What ``judge`` returns, whenever that takes no algebra; None when it does. Bounded time, no heavy import."""
    try:
        return _decide(gold, text, _needs_algebra)
    except _NeedsAlgebra:
        return None


def usable(gold: str) -> bool:
    """Whether answers can be compared with ``gold`` at all, as far as its form says."""
    return _gold(gold) is not None


def _needs_algebra(gold: str, answer: str) -> bool | None:
    raise _NeedsAlgebra


@lru_cache(maxsize=4096)
def _gold(gold: str) -> _Gold | None:
    """The answer in ``gold``: its marked answers, a list of them where it marks several, or the text itself."""
    if len(gold) > MAX_TEXT:
        return None
    found = find_answers(gold)
    plain = normal(gold)
    if not found.marked and (is_words(plain) or not found.candidates or not _sentence(gold)):
        found = Found((gold,), marked=False) if "boxed{" not in gold else found
    distinct = tuple(dict.fromkeys(normal(candidate) for candidate in found.candidates))
    joined = ", ".join(distinct)
    if not any(character.isalnum() for character in joined) or len(joined) > MAX_CHARS or is_broken(joined):
        return None
    return _Gold(joined, plain, key(joined) if is_words(joined) else None)


def _sentence(gold: str) -> bool:
    """Whether a gold is a text that holds an answer, and not the answer itself."""
    return any(mark in gold.strip().strip("$") for mark in ("$", "\\(", "\\[")) or len(gold.split()) > 12


def _decide(gold: str, text: str, decide: Algebra) -> Score:
    wanted = _gold(gold)
    if wanted is None:
        return Score.unusable("the gold answer is empty, unreadable or too long")
    if len(text) > MAX_TEXT:
        return Score.of(Verdict.UNPARSEABLE, detail=f"longer than {MAX_TEXT} characters")
    if not text or text.isspace():
        return Score.of(Verdict.WRONG, detail="no answer")
    if wanted.key is not None and wanted.key == key(text[:MAX_CHARS]):
        return Score.of(Verdict.CORRECT, extracted=text.strip())
    found = find_answers(text)
    if not found.candidates:
        return Score.of(Verdict.UNPARSEABLE, detail="no answer is marked")
    try:
        verdict, detail = _verdict(wanted, found, decide)
    except UnreadableGold:
        if readable(wanted.answer):  # only a part that this answer led to is not: no way to be masked
            return Score.of(Verdict.WRONG, extracted=found.candidates[-1][:MAX_CHARS], detail="nothing to compare with")
        return Score.unusable("the gold answer cannot be read")
    return Score.of(verdict, extracted=found.candidates[-1][:MAX_CHARS], detail=detail)


def _verdict(gold: _Gold, found: Found, decide: Algebra) -> _Judged:
    if len(found.candidates) > 1 or found.others or len(found.candidates[0]) > REMEMBERED:
        return _judge(gold, found.candidates, found.others, decide)
    return _judge_once(gold, found.candidates, found.others, decide)


def _judge(gold: _Gold, candidates: tuple[str, ...], others: tuple[str, ...], decide: Algebra) -> _Judged:
    verdict, detail = _judge_candidates(gold, candidates, decide)
    if verdict is not Verdict.CORRECT or not others:
        return verdict, detail
    beside = {normal(other) for other in others[: 4 * MAX_ANSWERS]}
    beside = {other for other in beside if _VALUE.search(other) or (gold.key is not None and is_words(other))}
    beside.difference_update(normal(candidate) for candidate in candidates)
    if len(beside) > MAX_ANSWERS or not all(_same(gold, other, decide) for other in sorted(beside)):
        return Verdict.WRONG, "several different answers"
    return verdict, detail


_judge_once = lru_cache(maxsize=8192)(_judge)


def _judge_candidates(gold: _Gold, candidates: tuple[str, ...], decide: Algebra) -> _Judged:
    if any(len(candidate) > MAX_CHARS for candidate in candidates):
        return Verdict.UNPARSEABLE, f"longer than {MAX_CHARS} characters"
    raw = tuple(dict.fromkeys(candidate for candidate in candidates if candidate.strip()))
    distinct = tuple(dict.fromkeys(normal(candidate) for candidate in raw[: 4 * MAX_ANSWERS]))
    if len(distinct) > MAX_ANSWERS or len(raw) > 4 * MAX_ANSWERS:
        return Verdict.WRONG, f"more than {MAX_ANSWERS} different answers"
    if not distinct:
        return Verdict.UNPARSEABLE, "the marked answer is empty"
    if len(distinct) > 1 and _same(gold, ", ".join(distinct), decide):
        return Verdict.CORRECT, None
    last = _same(gold, normal(candidates[-1]), decide)
    if last is None:
        return Verdict.UNPARSEABLE, "the answer cannot be read"
    if not last:
        return Verdict.WRONG, None
    if all(_same(gold, other, decide) for other in distinct):
        return Verdict.CORRECT, None
    return Verdict.WRONG, "several different answers"


def _same(gold: _Gold, answer: str, decide: Algebra) -> bool | None:
    return normal(answer) == gold.text or equal(gold.answer, answer, decide)
