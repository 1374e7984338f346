"""The verdict on an answer in mathematics, in full or as far as bounded time goes."""

from collections.abc import Callable
from functools import lru_cache

from components.rewards.base import Score, Verdict
from components.rewards.mathematics.equivalence import Algebra, equal
from components.rewards.mathematics.extraction import Found, find_answers
from components.rewards.mathematics.normal_form import MAX_CHARS, normal
from components.rewards.mathematics.words import is_words, key

MAX_ANSWERS = 16  # different marked answers


class _NeedsAlgebra(Exception):
    """Raised in place of an algebraic comparison where only bounded time is allowed."""


def judge(gold: str, text: str) -> Score:
    """CORRECT when the answer that ``text`` marks is ``gold``; ``text`` is what follows the thought.

    WRONG: another answer, several different ones, or nothing at all. UNPARSEABLE: no answer to be found, or one that
    cannot be read or would be too costly to evaluate. Unusable when ``gold`` itself holds no answer. May take any time
    on hostile input: run it in a process that can be killed.
    """
    from components.rewards.mathematics.symbolic import algebra

    return _decide(gold, text, algebra)


def quick(gold: str, text: str) -> Score | None:
    """What ``judge`` returns, whenever that takes no algebra; None when it does. Bounded time, no heavy import."""
    try:
        return _decide(gold, text, _needs_algebra)
    except _NeedsAlgebra:
        return None


def usable(gold: str) -> bool:
    """Whether answers can be compared with ``gold`` at all."""
    return _gold(gold) is not None


def _needs_algebra(gold: str, answer: str) -> bool | None:
    raise _NeedsAlgebra


@lru_cache(maxsize=4096)
def _gold(gold: str) -> str | None:
    """The answer in ``gold``: its marked answers, a list of them where it marks several, or the text itself."""
    found = find_answers(gold)
    plain = normal(gold)
    if not found.marked and (is_words(plain) or not found.candidates or not _sentence(gold)):
        found = Found((gold,), marked=False) if "boxed{" not in gold else found
    distinct = tuple(dict.fromkeys(normal(candidate) for candidate in found.candidates))
    joined = ", ".join(distinct)
    if not any(character.isalnum() for character in joined) or len(joined) > MAX_CHARS:
        return None
    return joined


def _sentence(gold: str) -> bool:
    """Whether a gold is a text that holds an answer, and not the answer itself."""
    return any(mark in gold.strip().strip("$") for mark in ("$", "\\(", "\\[")) or len(gold.split()) > 12


def _decide(gold: str, text: str, algebra: Algebra) -> Score:
    wanted = _gold(gold)
    if wanted is None:
        return Score.unusable("the gold answer is empty, unreadable or too long")
    if not text.strip():
        return Score.of(Verdict.WRONG, detail="no answer")
    if is_words(wanted) and key(wanted) == key(text[:MAX_CHARS]):
        return Score.of(Verdict.CORRECT, extracted=text.strip())
    found = find_answers(text)
    if not found.candidates:
        return Score.of(Verdict.UNPARSEABLE, detail="no answer is marked")
    last = found.candidates[-1]
    verdict, detail = _judge(wanted, found.candidates, lambda a, b: normal(b) == normal(gold) or equal(a, b, algebra))
    return Score.of(verdict, extracted=last[:MAX_CHARS], detail=detail)


def _judge(
    gold: str, candidates: tuple[str, ...], same: Callable[[str, str], bool | None]
) -> tuple[Verdict, str | None]:
    if any(len(candidate) > MAX_CHARS for candidate in candidates):
        return Verdict.UNPARSEABLE, f"longer than {MAX_CHARS} characters"
    raw = tuple(dict.fromkeys(candidate for candidate in candidates if candidate.strip()))
    distinct = tuple(dict.fromkeys(normal(candidate) for candidate in raw[: 4 * MAX_ANSWERS]))
    if len(distinct) > MAX_ANSWERS or len(raw) > 4 * MAX_ANSWERS:
        return Verdict.WRONG, f"more than {MAX_ANSWERS} different answers"
    if not distinct:
        return Verdict.UNPARSEABLE, "the marked answer is empty"
    if len(distinct) > 1 and same(gold, ", ".join(distinct)):
        return Verdict.CORRECT, None
    last = same(gold, normal(candidates[-1]))
    if last is None:
        return Verdict.UNPARSEABLE, "the answer cannot be read"
    if not last:
        return Verdict.WRONG, None
    if all(same(gold, other) for other in distinct):
        return Verdict.CORRECT, None
    return Verdict.WRONG, "several different answers"
