"""The project's own verifiers under adversarial tests, as training calls them."""

from collections.abc import Callable

from r1flow.components.core.schema import Row
from r1flow.components.rewards.accuracy import quick_score
from r1flow.components.rewards.adversarial.cases import Kind
from r1flow.components.rewards.adversarial.certificate import Certificate
from r1flow.components.rewards.adversarial.certify import Verifier, as_verifier, certify
from r1flow.components.rewards.adversarial.languages import CONSISTENT
from r1flow.components.rewards.base import Score
from r1flow.components.rewards.format import FormatStyle, format_reward
from r1flow.components.rewards.language import NaturalLanguage, language_reward
from r1flow.components.rewards.pool.pool import Job, ScoringPool

KINDS: tuple[Kind, ...] = ("exact", "choice", "math", "code", "format", "language_en", "language_zh")


def certify_own(
    kind: Kind,
    pool: ScoringPool,
    *,
    workers: int,
    seed: int = 0,
    style: FormatStyle = "think_answer",
    judged: Callable[[int, int], None] | None = None,
) -> Certificate:
    """The certificate of the verifier that training uses for ``kind``, slow verdicts by ``pool`` with ``workers``."""
    return certify(_verifier(kind, pool, style), kind, seed=seed, threads=workers, judged=judged)


def _verifier(kind: Kind, pool: ScoringPool, style: FormatStyle) -> Verifier:
    if kind == "format":
        return as_verifier(format_reward(style))
    if kind in ("language_en", "language_zh"):
        return as_verifier(language_reward(NaturalLanguage(kind.removeprefix("language_"))), at_least=CONSISTENT)

    def judge(completion: str, row: Row) -> Score:
        score = quick_score(completion, row)
        return pool.score([Job(completion, row)])[0] if score is None else score

    return judge
