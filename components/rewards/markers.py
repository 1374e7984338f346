"""Signs that a chain of thought looks back at itself: reflection, backtracking, self-checks, by language.

Figures for people, never a reward: a model that is paid for the word learns the word. The English words of reflection are
those that DeepSeek-R1's paper counts; all other lists are short and meant to be read, not to be complete.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache

from r1flow.components.rewards.reflection import PAPER_WORDS, word_pattern

KINDS = ("reflection", "backtracking", "self_check")
MARKERS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "en": {
        "reflection": PAPER_WORDS,
        "backtracking": (
            *(
                "wait",
                "hold on",
                "on second thought",
                "scratch that",
                "let me try again",
                "let's try again",
                "start over",
            ),
            *("go back", "going back", "redo", "rethink", "reconsider", "another approach", "a different approach"),
            *(
                "i made a mistake",
                "made an error",
                "that's wrong",
                "that is wrong",
                "that's not right",
                "can't be right",
            ),
        ),
        "self_check": (
            *("check", "double-check", "double check", "verify", "make sure", "confirm", "sanity check", "plug back"),
            *("plugging back", "substitute back", "substituting back"),
        ),
    },
    "zh": {
        "reflection": ("等等", "错误", "然而", "但是", "重试", "验证", "错了", "评估", "检查"),
        "backtracking": ("等等", "等一下", "重新", "不对", "换一种", "换个方法", "回过头"),
        "self_check": ("检查", "验证", "核对", "验算", "确认"),
    },
    "de": {
        "reflection": ("warte", "fehler", "jedoch", "aber", "falsch", "überprüfe", "prüfe"),
        "backtracking": ("warte", "noch einmal", "von vorn", "anders herum", "das stimmt nicht"),
        "self_check": ("überprüfe", "prüfe", "zur kontrolle", "vergewissern"),
    },
    "fr": {
        "reflection": ("attends", "erreur", "cependant", "mais", "vérifions", "vérifie"),
        "backtracking": ("attends", "reprenons", "recommençons", "revenons", "autre approche", "ce n'est pas correct"),
        "self_check": ("vérifions", "vérifie", "vérifier", "assurons-nous", "contrôlons"),
    },
    "es": {
        "reflection": ("espera", "sin embargo", "pero", "incorrecto", "verifiquemos", "comprobemos"),
        "backtracking": ("espera", "volvamos", "empecemos de nuevo", "otro enfoque", "eso no es correcto"),
        "self_check": ("verifiquemos", "comprobemos", "verificar", "comprobar", "asegurémonos"),
    },
}
"""Markers by language and kind. Those of Chinese count wherever they stand, all others as whole words."""
UNSPACED = frozenset({"zh"})


class Finder:
    """Finds the markers of all languages; ``words`` are the recipe's own in place of the English ones of reflection.

    ``symbols``: letters that are words by themselves, as in ``count_reflections``.
    """

    def __init__(self, words: Sequence[str] = (), *, symbols: str = "") -> None:
        self._patterns: dict[tuple[str, str], re.Pattern[str]] = {}
        self._markers: dict[tuple[str, str], tuple[str, ...]] = {}
        for language, kinds in MARKERS.items():
            for kind, known in kinds.items():
                markers = tuple(words) if words and (language, kind) == ("en", "reflection") else known
                self._patterns[language, kind] = _pattern(markers, symbols, language in UNSPACED)
                self._markers[language, kind] = tuple(marker.lower() for marker in markers)

    def count(self, text: str) -> Counter[tuple[str, str, str]]:
        """Occurrences by (language, kind, marker in lower case); of two that begin at one place the longer counts.

        >>> sorted(Finder().count("Wait. Let me check: 2, however, is wrong.").items())[0]
        (('en', 'backtracking', 'wait'), 1)
        """
        found: Counter[tuple[str, str, str]] = Counter()
        lowered = text.lower()
        for (language, kind), markers in self._markers.items():
            if any(marker in lowered for marker in markers):  # far quicker than the pattern, where there is nothing
                for match in self._patterns[language, kind].finditer(text):
                    found[language, kind, match[0].lower()] += 1
        return found

    def first(self, text: str, language: str, kind: str, marker: str) -> int:
        """Where the marker stands for the first time; -1 where it does not."""
        matches = self._patterns[language, kind].finditer(text)
        return next((match.start() for match in matches if match[0].lower() == marker), -1)


@lru_cache(maxsize=64)
def _pattern(markers: tuple[str, ...], symbols: str, unspaced: bool) -> re.Pattern[str]:
    if unspaced:
        return re.compile("|".join(map(re.escape, sorted(markers, key=len, reverse=True))))
    return word_pattern(markers, symbols)
