"""Score completions with every rule at once: what the trainer, the evaluator and the rollout lake call.

Accuracy, format and language are measured whatever their weight, because a drift that is not rewarded still has to be
seen; the other rewards only where they have one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from r1flow.components.core.errors import ConfigError, ScoringError
from r1flow.components.core.verdict import Verdict
from r1flow.components.rewards.accuracy import quick_score, score_answer
from r1flow.components.rewards.base import Reward, Score
from r1flow.components.rewards.format import FormatStyle, format_reward
from r1flow.components.rewards.language import AlphabetLanguage, LanguageSpec, consistency
from r1flow.components.rewards.mix import mix
from r1flow.components.rewards.reflection import PAPER_WORDS, count_reflections
from r1flow.components.rewards.shaping import cosine_length, group_length, repetition_penalty, soft_overlong
from r1flow.components.rewards.tags import tag_count
from r1flow.components.rewards.thought import thought_of

if TYPE_CHECKING:
    from r1flow.components.core.schema import Row

MAX_INFRA = 0.01  # share of completions that may go unscored because the machinery failed


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


@dataclass(frozen=True)
class Rules:
    """What is rewarded, in plain values.

    ``weights`` and ``gates``: see :func:`components.rewards.mix.mix`. ``prefilled``: the prompt already ended with
    ``<think>``. ``custom``: rewards of one's own by name. ``max_tokens``, ``overlong_tokens`` (the last stretch in which
    `overlong` falls) and ``ngram`` are the numbers behind the shaping rewards.
    """

    weights: Mapping[str, float]
    format_style: FormatStyle
    language: LanguageSpec
    reflection_words: Sequence[str] = PAPER_WORDS
    prefilled: bool = False
    gates: Mapping[str, str] = field(default_factory=dict)
    custom: Mapping[str, Reward] = field(default_factory=dict)
    max_tokens: int = 1
    overlong_tokens: int = 1
    ngram: int = 3


class Judge(Protocol):
    """Verdicts for what takes time; ``ahead`` may begin before they are asked for."""

    def ahead(self, completion: str, row: Row) -> None: ...

    def __call__(self, completions: Sequence[str], rows: Sequence[Row]) -> list[Score]: ...


class InProcess:
    """Verdicts in this process, one after another: for rows whose answers are known to be harmless."""

    def ahead(self, completion: str, row: Row) -> None:
        """Nothing begins early here."""

    def __call__(self, completions: Sequence[str], rows: Sequence[Row]) -> list[Score]:
        return [score_answer(text, row) for text, row in zip(completions, rows, strict=True)]


class Scorer:
    """The recipe's reward as a function of completions and their rows.

    ``judge`` gives the verdicts that cannot be had in bounded time. Raises ConfigError for a weight without a reward.
    """

    def __init__(self, rules: Rules, judge: Judge | None = None) -> None:
        self.rules = rules
        self.judge = judge or InProcess()
        known = {"accuracy", "format", "language", *_SHAPING, *rules.custom}
        if unknown := sorted(set(rules.weights) - known):
            raise ConfigError(f"reward weights {unknown} are not among {', '.join(sorted(known))}")

    def ahead(self, text: str, row: Row) -> None:
        """``text`` is finished, others are still being written: begin with its verdict if that takes time."""
        if row.verifier in ("math", "code"):
            self.judge.ahead(text, row)

    def __call__(
        self, texts: Sequence[str], rows: Sequence[Row], *, lengths: Sequence[int] = (), samples: int = 1
    ) -> list[Scored]:
        """One ``Scored`` per completion; ``rows[i]`` is the problem that ``texts[i]`` answers.

        ``lengths`` are the completions' tokens, needed by the rewards on length; every ``samples`` completions in a row
        are one group. Raises ValueError when texts and rows differ in number, ScoringError when more than
        ``MAX_INFRA`` of the completions (and more than one) could not be scored.
        """
        if len(texts) != len(rows):
            raise ValueError(f"{len(texts)} completions for {len(rows)} rows")
        rules = self.rules
        answers = self._verdicts(texts, rows)
        spoken = [consistency(thought_of(text, prefilled=rules.prefilled), rules.language) for text in texts]
        formed = format_reward(rules.format_style, prefilled=rules.prefilled)(texts, rows)
        components: dict[str, Sequence[float | None]] = {
            "accuracy": [answer.reward for answer in answers],
            "format": formed,
            "language": [share or 0.0 for share in spoken],
        }
        correct = [answer.verdict is Verdict.CORRECT for answer in answers]
        for name, shaping in _SHAPING.items():
            if rules.weights.get(name):
                components[name] = shaping(rules, _Batch(texts, correct, lengths, samples))
        for name, reward in rules.custom.items():
            components[name] = _checked(name, reward(texts, rows), len(texts))
        weights = {name: weight for name, weight in rules.weights.items() if name in components}
        alphabet = rules.language
        symbols = alphabet.target + alphabet.other if isinstance(alphabet, AlphabetLanguage) else ""
        return [
            Scored(
                total=total,
                components={name: values[index] for name, values in components.items()},
                verdict=answers[index].verdict,
                language=spoken[index],
                format_ok=formed[index] == 1.0,
                reflections=count_reflections(texts[index], rules.reflection_words, symbols=symbols),
            )
            for index, total in enumerate(mix(components, weights, rules.gates))
        ]

    def _verdicts(self, texts: Sequence[str], rows: Sequence[Row]) -> list[Score]:
        """Quick verdicts here, all others by the judge, at once."""
        scores = [quick_score(text, row) for text, row in zip(texts, rows, strict=True)]
        slow = [index for index, score in enumerate(scores) if score is None]
        judged = self.judge([texts[i] for i in slow], [rows[i] for i in slow]) if slow else []
        failed = [score for score in judged if score.verdict is Verdict.INFRA]
        if len(failed) > max(1, MAX_INFRA * len(texts)):
            raise ScoringError(
                f"{len(failed)} of {len(texts)} completions could not be scored ({failed[0].detail}); "
                "`r1 doctor` tests the sandbox and the scoring workers"
            )
        late = dict(zip(slow, judged, strict=True))
        return [late[index] if score is None else score for index, score in enumerate(scores)]


@dataclass(frozen=True)
class _Batch:
    texts: Sequence[str]
    correct: Sequence[bool]
    lengths: Sequence[int]
    samples: int


def _overlong(rules: Rules, batch: _Batch) -> list[float | None]:
    return [soft_overlong(length, rules.max_tokens, rules.overlong_tokens) for length in batch.lengths]


def _cosine(rules: Rules, batch: _Batch) -> list[float | None]:
    pairs = zip(batch.correct, batch.lengths, strict=True)
    return [cosine_length(correct, length, rules.max_tokens) for correct, length in pairs]


def _repetition(rules: Rules, batch: _Batch) -> list[float | None]:
    return [repetition_penalty(text, rules.ngram) for text in batch.texts]


def _group_length(rules: Rules, batch: _Batch) -> list[float | None]:
    shares: list[float | None] = []
    for start in range(0, len(batch.texts), batch.samples):
        group = slice(start, start + batch.samples)
        shares.extend(group_length(batch.correct[group], batch.lengths[group]))
    return shares


def _tags(rules: Rules, batch: _Batch) -> list[float | None]:
    return [tag_count(text, rules.prefilled) for text in batch.texts]


_SHAPING: dict[str, Callable[[Rules, _Batch], list[float | None]]] = {
    "tags": _tags,
    "overlong": _overlong,
    "cosine_length": _cosine,
    "repetition": _repetition,
    "group_length": _group_length,
}


def _checked(name: str, values: Sequence[float | None], num: int) -> Sequence[float | None]:
    if len(values) != num:
        raise ConfigError(f"the reward {name} returned {len(values)} values for {num} completions")
    return values
