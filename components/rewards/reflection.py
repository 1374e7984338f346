"""How often a completion reflects: the count of certain words that DeepSeek-R1's paper follows over training.

A metric, not a reward.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

PAPER_WORDS = ("wait", "mistake", "however", "but", "retry", "error", "verify", "wrong", "evaluate", "check")


def count_reflections(text: str, words: Sequence[str] = PAPER_WORDS, *, symbols: str = "") -> int:
    """Occurrences of ``words`` in any case, each a whole word: no letter directly before or behind it.

    ``symbols`` are letters that are words by themselves, as a-j in the tiny world, and so do not lengthen a word.

    >>> count_reflections("12;wait37+45=82. But checks differ")
    2
    >>> count_reflections("waitdh+ef=ic"), count_reflections("waitdh+ef=ic", symbols="abcdefghij")
    (0, 1)
    """
    return sum(1 for _ in word_pattern(tuple(words), symbols).finditer(text)) if words else 0


@lru_cache(maxsize=32)
def word_pattern(words: tuple[str, ...], symbols: str) -> re.Pattern[str]:
    """What finds ``words``, each a whole word, the longer of two that begin at one place."""
    edge = r"[\W\d_" + re.escape(symbols) + "]"
    choice = "|".join(map(re.escape, sorted(words, key=len, reverse=True)))
    return re.compile(rf"(?:(?<={edge})|(?<!.))(?:{choice})(?=\Z|{edge})", re.IGNORECASE | re.DOTALL)
