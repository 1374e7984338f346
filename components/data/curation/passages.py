"""How near one text is to one evaluation problem, word by word: the slow comparison of the few pairs that the index finds."""

from collections import Counter
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache

from r1flow.components.data.curation.evaluation import Problem
from r1flow.components.data.curation.text import is_number, masked_runs, pieces, spelling, words


class Passage:
    """A text of a row, taken apart once for all problems that it is compared with."""

    def __init__(self, normalised: str) -> None:
        self.words = words(normalised)
        self.tokens = [token for piece in pieces(normalised) if (token := spelling(piece)) is not None]
        self.numbers = [token if is_number(token) else "" for token in self.tokens]

    @cache  # noqa: B019 - lives as long as the passage
    def masked(self, width: int) -> list[tuple[str, ...]]:
        return masked_runs(self.tokens, width)


def covered(text: list[str], problem: list[str], width: int) -> tuple[float, str]:
    """The share of the problem's words that lie in runs of ``width`` words of the text, and the longest such run."""
    runs = {tuple(text[start : start + width]) for start in range(len(text) - width + 1)}
    held = [False] * len(problem)
    for start in range(len(problem) - width + 1):
        if tuple(problem[start : start + width]) in runs:
            held[start : start + width] = [True] * width
    longest = begin = 0
    for place in range(len(problem) + 1):
        if place < len(problem) and held[place]:
            continue
        if place - begin > longest:
            longest, best = place - begin, begin
        begin = place + 1
    return (sum(held) / len(problem), " ".join(problem[best : best + longest])) if longest else (0.0, "")


@dataclass(frozen=True)
class Stretch:
    """The stretch of a text that is nearest to a problem, numbers masked."""

    contained: float
    """Share of the problem's shingles."""
    jaccard: float
    numbers: float
    """Share of the problem's numbers that stand there."""


def closest(passage: Passage, problem: Problem, width: int, times: int) -> Stretch:
    """Over all stretches ``times`` as long as the problem: in a long text common words would add up to any problem."""
    wanted, length = problem.masked(width), times * len(problem.tokens)
    runs = passage.masked(width)
    hits = [place for place, run in enumerate(runs) if run in wanted]
    inside: Counter[tuple[str, ...]] = Counter()
    first = best = begin = end = 0
    distinct = 0
    for place in hits:
        inside[runs[place]] += 1
        distinct += inside[runs[place]] == 1
        while place - hits[first] >= length:
            inside[runs[hits[first]]] -= 1
            distinct -= inside[runs[hits[first]]] == 0
            first += 1
        if distinct > best:
            best, begin, end = distinct, hits[first], place + 1
    either = len(wanted.union(runs[begin:end]))
    stated = (
        problem.figures & Counter(passage.numbers[max(0, begin - width) : max(end, begin + length) + 2 * width])
    ).total()
    return Stretch(best / len(wanted), best / either, stated / problem.figures.total() if problem.figures else 1.0)


def longest(passage: Passage, problem: Problem) -> str:
    """The longest run of words that both have."""
    run = SequenceMatcher(None, passage.words, problem.words, autojunk=False).find_longest_match()
    return " ".join(passage.words[run.a : run.a + run.size])
