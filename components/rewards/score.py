"""Score completions with every rule at once: what the trainer, the evaluator and the rollout lake call.

Everything is measured whatever its weight, because a drift that is not rewarded still has to be seen.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from components.data.schema import Row
from components.errors import ConfigError
from components.rewards.accuracy import score_answer
from components.rewards.base import Verdict
from components.rewards.format import FormatStyle, format_reward
from components.rewards.language import AlphabetLanguage, LanguageSpec, consistency, language_reward
from components.rewards.mix import mix
from components.rewards.reflection import PAPER_WORDS, count_reflections
from components.rewards.thought import thought_of

COMPONENTS = ("accuracy", "format", "language")


@dataclass(frozen=True)
class Scored:
    """One completion's total, its components, and the measurements beside them.

    ``total`` is None where it must be masked; ``verdict`` is None where the row's own answer is unusable; ``language``
    is the consistency of the thought, None where it has no words.
    """

    total: float | None
    components: dict[str, float | None]
    verdict: Verdict | None
    language: float | None
    format_ok: bool
    reflections: int


def score_completions(
    texts: Sequence[str],
    rows: Sequence[Row],
    *,
    weights: Mapping[str, float],
    format_style: FormatStyle,
    language: LanguageSpec,
    reflection_words: Sequence[str] = PAPER_WORDS,
    prefilled: bool = False,
) -> list[Scored]:
    """One ``Scored`` per completion; ``rows[i]`` is the problem that ``texts[i]`` answers.

    ``prefilled``: the prompt already ended with ``<think>`` (``data.chat.opens_thought``). Raises ConfigError for a
    weight or style that does not exist, ValueError when texts and rows differ in number.
    """
    if len(texts) != len(rows):
        raise ValueError(f"{len(texts)} completions for {len(rows)} rows")
    if unknown := sorted(set(weights) - set(COMPONENTS)):
        raise ConfigError(f"reward weights {unknown} are not among {', '.join(COMPONENTS)}")
    answers = [score_answer(text, row) for text, row in zip(texts, rows, strict=True)]
    components = {
        "accuracy": [answer.reward for answer in answers],
        "format": format_reward(format_style, prefilled=prefilled)(texts, rows),
        "language": language_reward(language, prefilled=prefilled)(texts, rows),
    }
    symbols = language.target + language.other if isinstance(language, AlphabetLanguage) else ""
    return [
        Scored(
            total=total,
            components={name: values[index] for name, values in components.items()},
            verdict=answers[index].verdict,
            language=consistency(thought_of(texts[index], prefilled=prefilled), language),
            format_ok=components["format"][index] == 1.0,
            reflections=count_reflections(texts[index], reflection_words, symbols=symbols),
        )
        for index, total in enumerate(mix(components, weights))
    ]
