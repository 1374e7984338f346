"""Judge a verifier by generated cases whose right verdict is beyond dispute.

The cases are drawn from a seed: other numbers, the same kinds of mutations. What is measured is the verifier alone, as
training calls it; a verifier that may hang has to come with its own clock (the scoring pool).
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from r1flow.components.core.redact import escaped
from r1flow.components.core.schema import Row
from r1flow.components.core.verdict import Verdict
from r1flow.components.rewards.adversarial import choice, exact, languages, mathematics, shape
from r1flow.components.rewards.adversarial.cases import Case, Family, Kind
from r1flow.components.rewards.adversarial.certificate import FLOORS, Certificate, Failure, FamilyResult
from r1flow.components.rewards.adversarial.programs import cases as programs
from r1flow.components.rewards.base import Reward, RewardBatch, Score

Verifier = Callable[[str, Row], Score]
EXAMPLES = 5  # per family
EXCERPT = 300  # characters of an example

_MAKERS: dict[Kind, Callable[[int], list[Case]]] = {
    "math": mathematics.make_cases,
    "choice": choice.make_cases,
    "exact": exact.make_cases,
    "code": programs.make_cases,
    "format": shape.make_cases,
    "language_en": languages.english_cases,
    "language_zh": languages.chinese_cases,
}


def certify(
    verifier: Verifier,
    kind: Kind,
    *,
    seed: int = 0,
    threads: int = 1,
    judged: Callable[[int, int], None] | None = None,
) -> Certificate:
    """Put ``verifier`` to every case of ``kind``. ``judged(done, total)`` is called after each case.

    With ``threads`` that many cases are under way at once, which pays for verifiers that wait for worker processes. An
    exception of the verifier is a failure of the case and ends nothing.
    """
    return judge_cases(verifier, kind, make_cases(kind, seed), seed=seed, threads=threads, judged=judged)


def make_cases(kind: Kind, seed: int = 0) -> list[Case]:
    """The cases of ``kind``, the same for the same seed on every machine."""
    return _MAKERS[kind](seed)


def judge_cases(
    verifier: Verifier,
    kind: Kind,
    cases: Sequence[Case],
    *,
    seed: int = 0,
    threads: int = 1,
    judged: Callable[[int, int], None] | None = None,
) -> Certificate:
    """The certificate for the given cases, for instance a part of what ``make_cases`` gives."""
    failures: list[tuple[Case, str]] = []
    with ThreadPoolExecutor(max_workers=threads, thread_name_prefix="adversarial") as pool:
        for number, (case, failure) in enumerate(
            zip(cases, pool.map(lambda case: _failure(verifier, case), cases), strict=True), 1
        ):
            if failure is not None:
                failures.append((case, failure))
            if judged is not None:
                judged(number, len(cases))
    families = tuple(_result(family, cases, failures) for family in Family if any(c.family is family for c in cases))
    return Certificate(kind, seed, FLOORS[kind], cases_digest(cases), families)


def as_verifier(reward: Reward, *, at_least: float = 1.0) -> Verifier:
    """A reward as a verifier: CORRECT from ``at_least`` upwards, WRONG below, masked where it gives None."""

    def verify(completion: str, row: Row) -> Score:
        (value,) = reward(RewardBatch([completion], rows=[row]))
        if value is None:
            return Score.unusable("the reward gives None")
        return Score.of(Verdict.CORRECT if value >= at_least else Verdict.WRONG, detail=f"reward {value:.3f}")

    return verify


def cases_digest(cases: Sequence[Case]) -> str:
    """SHA-256 of everything that the cases hold, lone surrogates and all."""
    digest = hashlib.sha256()
    for case in cases:
        parts = [case.family, case.mutation, case.row.model_dump(mode="python"), case.completion]
        digest.update(json.dumps(parts, sort_keys=True).encode() + b"\n")
    return digest.hexdigest()


def _failure(verifier: Verifier, case: Case) -> str | None:
    """What came out, where it is not what must come out."""
    try:
        score = verifier(case.completion, case.row)
    except Exception as error:  # a verifier that raises has failed the case, whatever it raises
        return f"raised {type(error).__name__}: {str(error)[:200]}"
    if case.family is Family.EQUIVALENT:
        right = score.verdict is Verdict.CORRECT and score.reward == 1.0
    elif case.family is Family.UNUSABLE:
        right = score.verdict is None and score.reward is None
    else:
        right = score.verdict not in (Verdict.CORRECT, Verdict.INFRA, None) and score.reward == 0.0
    if right:
        return None
    verdict = "masked" if score.verdict is None else str(score.verdict)
    return verdict + (f" ({score.detail[:200]})" if score.detail else "")


_EXPECTED = {
    Family.EQUIVALENT: "CORRECT",
    Family.NEAR_MISS: "not CORRECT, not masked",
    Family.ADVERSARIAL: "not CORRECT, not masked",
    Family.UNUSABLE: "masked",
}


def _result(family: Family, cases: Sequence[Case], failures: Sequence[tuple[Case, str]]) -> FamilyResult:
    mine = [(case, got) for case, got in failures if case.family is family]
    counts = Counter(case.mutation for case, _ in mine)
    failed = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    first = {case.mutation: (case, got) for case, got in reversed(mine)}
    worst = tuple(_example(*first[mutation]) for mutation, _ in failed[:EXAMPLES])
    total = sum(case.family is family for case in cases)
    return FamilyResult(family, total, total - len(mine), tuple(failed), worst)


def _example(case: Case, got: str) -> Failure:
    gold = case.row.answer if case.row.tests is None else f"tests of {case.row.tests.entry_point or 'a program'}"
    text = case.completion
    if len(text) > EXCERPT:
        text = f"{text[: EXCERPT // 2]} ... {len(text) - EXCERPT} characters ... {text[-EXCERPT // 2 :]}"
    return Failure(case.mutation, gold[:EXCERPT], escaped(text, keep="\n"), _EXPECTED[case.family], got)
