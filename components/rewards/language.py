"""Language consistency: the share of target-language words among the words of the thought (DeepSeek-R1, section 2.3.2).

    reward = Num(words of the target language) / Num(words)

A thought without words scores 0, never 1: full marks for an empty thought teach the model to stop thinking.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from r1flow.components.core.languages import language_code
from r1flow.components.rewards.base import Reward, RewardBatch
from r1flow.components.rewards.languages.labelling import count_words
from r1flow.components.rewards.languages.words import clauses
from r1flow.components.rewards.thought import thought_of


@dataclass(frozen=True)
class AlphabetLanguage:
    """Two languages told apart by their characters, each character a word.

    ``ignored`` words are taken out before counting; characters in neither alphabet are neutral.
    """

    target: str
    other: str
    ignored: tuple[str, ...] = ("wait",)


@dataclass(frozen=True)
class NaturalLanguage:
    """A language by its BCP-47 code: ``en``, ``zh``, ``pt-BR``; script and region are not told apart.

    What is a word and what is neutral: ``languages.words``. Raises ConfigError for a language that is not known.
    """

    target: str

    def __post_init__(self) -> None:
        language_code(self.target)


LanguageSpec = AlphabetLanguage | NaturalLanguage

_TAG = re.compile(r"</?think>")


def consistency(thought: str, spec: LanguageSpec) -> float | None:
    """Share of target-language words, 0 to 1; None when ``thought`` holds no word at all (not measurable)."""
    if isinstance(spec, AlphabetLanguage):
        target, other = _count_symbols(thought, spec)
    else:
        target, other = count_words(clauses(thought), language_code(spec.target))
    return target / (target + other) if target + other else None


def language_reward(spec: LanguageSpec) -> Reward:
    """The consistency of each completion's thought, with 0 for a thought that is empty or has no words."""

    def reward(batch: RewardBatch) -> list[float]:
        return [consistency(thought_of(text, prefilled=batch.prefilled), spec) or 0.0 for text in batch.texts]

    return reward


def _count_symbols(thought: str, spec: AlphabetLanguage) -> tuple[float, float]:
    text = _removed(spec.ignored).sub(" ", thought)
    target, other = frozenset(spec.target), frozenset(spec.other)
    return sum(symbol in target for symbol in text), sum(symbol in other for symbol in text)


@lru_cache(maxsize=32)
def _removed(words: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join([_TAG.pattern, *map(re.escape, words)]))
