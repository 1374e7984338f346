"""The same problem before and after: what the models really wrote. The text is theirs, so it is data, never markup."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from r1flow.components.core.verdict import Verdict
from r1flow.components.evals.compare import problem_means
from r1flow.components.evals.report.names import Names

SHOWN = 3
HEAD, TAIL = 900, 400  # characters of a long completion
SOLVED = 0.5
_CONTROLS = {code: chr(0x2400 + code) for code in range(32) if code not in (9, 10)} | {127: "\u2421"}


@dataclass(frozen=True)
class Sample:
    """One completion, shortened in the middle where it is long."""

    text: str
    verdict: str
    tokens: int

    @property
    def correct(self) -> bool:
        return self.verdict == Verdict.CORRECT


@dataclass(frozen=True)
class Answers:
    """What one model said: how many of its ``asked`` completions are correct, and the first few of them."""

    model: str
    correct: int
    asked: int
    samples: tuple[Sample, ...]


@dataclass(frozen=True)
class BeforeAfter:
    """One evaluation problem and its answers by successive models."""

    suite: str
    problem_id: str
    prompt: str
    gold: str
    level: int | None
    models: tuple[Answers, ...]


def before_after(evaluations: Mapping[str, Path], suite: str, names: Names) -> BeforeAfter | None:
    """The main line's start model, its next and its last model on one problem; None without a model before and one after.

    ``evaluations`` holds the evaluation artifact of each model.
    """
    line = [m for m in names.line(evaluations) if _answers(evaluations[m], suite).exists()]
    if len(line) < 2:
        return None
    first, last = _answers(evaluations[line[0]], suite), _answers(evaluations[line[-1]], suite)
    before, after = problem_means(first.parent, suite), problem_means(last.parent, suite)
    problem = choose_problem(before, after, _levels(last))
    if problem is None:
        return None
    shown = dict.fromkeys((*line[:2], line[-1]))
    rows = {model: _rows(_answers(evaluations[model], suite), problem) for model in shown}
    asked = rows[line[-1]][0]
    return BeforeAfter(
        suite=suite,
        problem_id=problem,
        prompt=printable(asked["prompt"]),
        gold=printable(asked["gold"]),
        level=asked["level"],
        models=tuple(_summary(model, found) for model, found in rows.items() if found),
    )


def choose_problem(
    before: Mapping[str, float], after: Mapping[str, float], levels: Mapping[str, int | None]
) -> str | None:
    """The hardest problem that was learned: of those now solved more often than not, the highest level, then the lowest
    share of correct answers before, then the highest after, then the first by name. None if nothing is in common."""
    common = set(before) & set(after)
    return min(
        common,
        key=lambda p: (after[p] <= SOLVED, -(levels.get(p) or 0), before[p], -after[p], p),
        default=None,
    )


def shorten(text: str) -> str:
    """A long text's beginning and end, saying how much lies between."""
    if len(text) <= HEAD + TAIL:
        return text
    return f"{text[:HEAD]}\n[... {len(text) - HEAD - TAIL:,} characters left out ...]\n{text[-TAIL:]}"


def printable(text: str) -> str:
    """Control characters made visible, so that a completion cannot disturb the page or hide in it."""
    return text.translate(_CONTROLS)


def _answers(evaluation: Path, suite: str) -> Path:
    return evaluation / f"{suite}.parquet"


def _summary(model: str, rows: list[dict[str, Any]]) -> Answers:
    ordered = sorted(rows, key=lambda row: row["sample"])
    samples = tuple(
        Sample(printable(shorten(row["text"])), row["verdict"] or "UNSCORED", row["num_tokens"])
        for row in ordered[:SHOWN]
    )
    return Answers(model, sum(row["verdict"] == Verdict.CORRECT for row in rows), len(rows), samples)


def _levels(answers: Path) -> dict[str, int | None]:
    import pyarrow.parquet as pq

    table = pq.read_table(answers, columns=["problem_id", "level"])
    return dict(zip(table["problem_id"].to_pylist(), table["level"].to_pylist(), strict=True))


def _rows(answers: Path, problem: str) -> list[dict[str, Any]]:
    import pyarrow.parquet as pq

    columns = ["prompt", "gold", "level", "sample", "text", "verdict", "num_tokens"]
    found: list[dict[str, Any]] = pq.read_table(
        answers, columns=columns, filters=[("problem_id", "=", problem)]
    ).to_pylist()
    return found
