"""Language consistency: the share of target-language words among the words of the thought (DeepSeek-R1, section 2.3.2).

    reward = Num(words of the target language) / Num(words)

A thought without words scores 0, never 1: full marks for an empty thought teach the model to stop thinking.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from components.data.schema import Row
from components.rewards.base import Reward
from components.rewards.thought import thought_of


@dataclass(frozen=True)
class AlphabetLanguage:
    """Two languages told apart by their characters, each character a word.

    ``ignored`` words are taken out before counting; characters in neither alphabet are neutral.
    """

    target: str
    other: str
    ignored: tuple[str, ...] = ("wait",)


@dataclass(frozen=True)
class ScriptLanguage:
    """English or Chinese told apart by Unicode script: a run of Latin letters is a word, and so is a Chinese character.

    Words of further scripts are words that are not in the target language. Neutral: LaTeX, code, tags, numbers, Greek
    letters and single Latin letters, which in mathematics are names.
    """

    target: Literal["en", "zh"]


LanguageSpec = AlphabetLanguage | ScriptLanguage

# No part can match inside a failed match of its own, so that the time is linear in the text.
_NEUTRAL = re.compile(
    r"```(?:[^`]|`(?!``))*```|`[^`\n]*`"  # code
    r"|\$\$(?:[^$]|\$(?!\$))*\$\$|\$(?=\S)[^$\n]*(?<=\S)\$(?!\d)"  # display and inline mathematics
    r"|\\\[(?:[^\\]|\\[^\[\]])*\\\]|\\\((?:[^\\]|\\[^()])*\\\)"
    r"|\\[A-Za-z]+|</?[A-Za-z]+>"  # LaTeX commands outside mathematics, tags
)
_LETTERS = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*")
_CHINESE = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_GREEK = re.compile(r"[\u0370-\u03ff\u1f00-\u1fff]+")
_LATIN = re.compile(r"[A-Za-z\u00aa\u00ba\u00c0-\u024f\u1e00-\u1eff\uff21-\uff3a\uff41-\uff5a'\u2019]+")
_TAG = re.compile(r"</?think>")


def consistency(thought: str, spec: LanguageSpec) -> float | None:
    """Share of target-language words, 0 to 1; None when ``thought`` holds no word at all (not measurable)."""
    counts = _count_symbols(thought, spec) if isinstance(spec, AlphabetLanguage) else _count_words(thought, spec)
    target, other = counts
    return target / (target + other) if target + other else None


def language_reward(spec: LanguageSpec, *, prefilled: bool = False) -> Reward:
    """The consistency of each completion's thought, with 0 for a thought that is empty or has no words."""

    def reward(completions: Sequence[str], examples: Sequence[Row]) -> list[float | None]:
        return [consistency(thought_of(text, prefilled=prefilled), spec) or 0.0 for text in completions]

    return reward


def _count_symbols(thought: str, spec: AlphabetLanguage) -> tuple[int, int]:
    text = _removed(spec.ignored).sub(" ", thought)
    target, other = frozenset(spec.target), frozenset(spec.other)
    return sum(symbol in target for symbol in text), sum(symbol in other for symbol in text)


@lru_cache(maxsize=32)
def _removed(words: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join([_TAG.pattern, *map(re.escape, words)]))


def _count_words(thought: str, spec: ScriptLanguage) -> tuple[int, int]:
    text = _NEUTRAL.sub(" ", thought)
    chinese = len(_CHINESE.findall(text))
    english = further = 0
    for word in _LETTERS.findall(_GREEK.sub(" ", _CHINESE.sub(" ", text))):
        if not _LATIN.fullmatch(word):
            further += 1
        elif len(word) > 1 or word in "aI":
            english += 1
    return (english, chinese + further) if spec.target == "en" else (chinese, english + further)
