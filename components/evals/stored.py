"""Stored completions judged as training judges them, and models compared by what they answered."""

from collections.abc import Mapping, Sequence

from r1flow.components.core.errors import DataError
from r1flow.components.core.verdict import Verdict
from r1flow.components.evals.answers import extract_answer
from r1flow.components.evals.completions import Stored
from r1flow.components.evals.metrics import Problem, Sample
from r1flow.components.evals.paired import Comparison, compare_all
from r1flow.components.evals.vote import votes
from r1flow.components.rewards.format import FormatStyle
from r1flow.components.rewards.language import NaturalLanguage, consistency
from r1flow.components.rewards.pool.judge import PoolJudge
from r1flow.components.rewards.pool.pool import ScoringPool
from r1flow.components.rewards.score import Rules, Scorer
from r1flow.components.rewards.thought import CLOSE, OPEN


def judge_stored(
    stored: Sequence[Stored], pool: ScoringPool, *, style: FormatStyle, language: str, prefilled: bool
) -> list[Problem]:
    """Every problem with its samples' verdicts, votes, form and length (in characters).

    A text without a tag of a thought is an answer, unless ``prefilled`` says that the prompt opened a thought: then it is
    a thought that was never closed. Language is measured in the thought, or in a text that has none.
    """
    spoken = NaturalLanguage(language)
    rules = Rules({"accuracy": 1.0}, style, spoken, prefilled=prefilled)
    judge = PoolJudge(pool)
    completions = [[_completion(text, prefilled) for text in found.texts] for found in stored]
    rows = [found.row for found in stored]
    scored = iter(
        Scorer(rules, judge)(
            [text for texts in completions for text in texts],
            [found.row for found in stored for _ in found.texts],
        )
    )
    scores = [[next(scored) for _ in texts] for texts in completions]
    correct = [[score.verdict is Verdict.CORRECT for score in of_problem] for of_problem in scores]
    answers = [[extract_answer(text, row) for text in texts] for texts, row in zip(completions, rows, strict=True)]
    k = min(len(found.texts) for found in stored)  # cons@k takes as many of every problem
    ballots = votes([said[:k] for said in answers], [marks[:k] for marks in correct], rows, judge)
    ballots = [ballot + [None] * (len(said) - k) for ballot, said in zip(ballots, answers, strict=True)]
    problems = []
    for found, of_problem, ballot in zip(stored, scores, ballots, strict=True):
        samples = tuple(
            Sample(
                correct=score.verdict is Verdict.CORRECT,
                vote=vote,
                format_ok=score.format_ok,
                language=score.language if _thinks(text, prefilled) else consistency(text, spoken),
                length=len(text),
                finished=finished,
                reflections=score.reflections,
                scored=score.total is not None,
            )
            for text, finished, score, vote in zip(found.texts, found.finished, of_problem, ballot, strict=True)
        )
        problems.append(Problem(found.row.id, found.row.level, found.contaminated, samples))
    return problems


def compare_models(
    models: Mapping[str, Sequence[Stored]], judged: Mapping[str, Sequence[Problem]]
) -> dict[str, Comparison]:
    """Every model but the first against the first. DataError where a name stands for different problems."""
    baseline, *others = judged
    golds = {found.row.id: found.row.answer for found in models[baseline]}
    shares = {name: {problem.id: problem.share for problem in problems} for name, problems in judged.items()}
    for name in others:
        for found in models[name]:
            if golds.get(found.row.id, found.row.answer) != found.row.answer:
                raise DataError(
                    f"problem {found.row.id} has gold {golds[found.row.id]!r} in {baseline} and {found.row.answer!r} in "
                    f"{name}; name the column of the problem's name (--problem)"
                )
        if not set(shares[name]) & set(shares[baseline]):
            raise DataError(f"{name} and {baseline} have no problem in common; they cannot be compared")
    return compare_all({name: shares[name] for name in others}, shares[baseline])


def _thinks(text: str, prefilled: bool) -> bool:
    return prefilled or OPEN in text or CLOSE in text


def _completion(text: str, prefilled: bool) -> str:
    return text if _thinks(text, prefilled) else CLOSE + text
