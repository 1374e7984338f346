"""Score completions with every rule at once: what the trainer, the evaluator and the rollout lake call.

Accuracy, format and language are measured whatever their weight, because a drift that is not rewarded still has to be
seen; the other rewards where they are named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from r1flow.components.core.errors import ScoringError
from r1flow.components.core.verdict import Verdict
from r1flow.components.rewards.accuracy import quick_score, score_answer
from r1flow.components.rewards.base import Reward, RewardBatch, Score, Shaping
from r1flow.components.rewards.compute import compute
from r1flow.components.rewards.format import FormatStyle, format_reward
from r1flow.components.rewards.language import AlphabetLanguage, LanguageSpec, consistency
from r1flow.components.rewards.mix import mix
from r1flow.components.rewards.reflection import PAPER_WORDS, count_reflections
from r1flow.components.rewards.shipped import SHIPPED, check_names
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

    ``weights`` and ``gates``: see :func:`r1flow.components.rewards.mix.mix`. ``custom``: rewards of one's own by name.
    ``prefilled``, ``max_tokens`` and ``shaping``: see :class:`r1flow.components.rewards.base.RewardBatch`.
    """

    weights: Mapping[str, float]
    format_style: FormatStyle
    language: LanguageSpec
    reflection_words: Sequence[str] = PAPER_WORDS
    prefilled: bool = False
    gates: Mapping[str, str] = field(default_factory=dict)
    custom: Mapping[str, Reward] = field(default_factory=dict)
    max_tokens: int = 1
    shaping: Shaping = field(default_factory=Shaping)


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
        check_names(rules.weights, own=rules.custom)
        named = {name: reward for name, reward in SHIPPED.items() if name in rules.weights}
        self.rewards: dict[str, Reward] = named | dict(sorted(rules.custom.items()))

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
        batch = RewardBatch(
            texts,
            rows=rows,
            lengths=lengths,
            groups=[index // samples for index in range(len(texts))],
            verdicts=[answer.verdict for answer in answers],
            max_tokens=rules.max_tokens,
            prefilled=rules.prefilled,
            shaping=rules.shaping,
        )
        formed = format_reward(rules.format_style)(batch)
        components: dict[str, Sequence[float | None]] = {
            "accuracy": [answer.reward for answer in answers],
            "format": formed,
            "language": [share or 0.0 for share in spoken],
        }
        components |= {name: compute(name, reward, batch) for name, reward in self.rewards.items()}
        weights = {name: rules.weights[name] for name in components if name in rules.weights}
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
