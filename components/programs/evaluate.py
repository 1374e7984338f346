"""Evaluation of one model on all suites of the recipe: every answer kept, figures with intervals."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from r1flow.components.core.schema import Row
from r1flow.components.core.seeds import derive_seed
from r1flow.components.core.spool import Spool
from r1flow.components.core.verdict import Verdict
from r1flow.components.data.files import load_rows
from r1flow.components.evals.answers import extract_answer
from r1flow.components.evals.asking import asked
from r1flow.components.evals.contamination import load_flags
from r1flow.components.evals.figures import Problem, Sample, suite_figures
from r1flow.components.evals.vote import Vote, votes
from r1flow.components.programs.language_model import LanguageModel, open_model, scoring
from r1flow.components.programs.spec import Spec
from r1flow.components.recipe.stages import SuiteConfig
from r1flow.components.rewards.score import Scored
from r1flow.components.sampling.base import Completion, Request, Sampling

T = TypeVar("T")
SAMPLE_SEED = 20250122  # evaluation draws the same numbers in every run, whatever the recipe's seed


def main(raw: dict[str, Any]) -> dict[str, float]:
    spec = Spec.model_validate(raw)
    lm = open_model(spec, spec.inputs["model"])
    spool = Spool(spec.spool)
    spec.out.mkdir(parents=True, exist_ok=True)
    metrics: dict[str, float] = {}
    for index, (name, settings) in enumerate(sorted(spec.config["suites"].items()), 1):
        suite = SuiteConfig.model_validate(settings)
        rows = load_rows(spec.inputs["dataset"] / "eval" / f"{name}.jsonl")
        found = evaluate(spec, lm, name, suite, rows)
        metrics |= {f"{name}/{key}": value for key, value in found.items()}
        spool.append(index, {f"{name}/{key}": value for key, value in found.items()})
    (spec.out / "metrics.json").write_text(json.dumps(metrics, indent=1))
    return metrics


def evaluate(spec: Spec, lm: LanguageModel, name: str, suite: SuiteConfig, rows: Sequence[Row]) -> dict[str, float]:
    """k samples of every row, scored; writes ``<suite>.parquet`` and returns the suite's figures."""
    k = suite.samples
    repeated = [row for row in rows for _ in range(k)]
    requests = [
        Request(
            lm.encode_prompt(asked(row, suite.prompt)), derive_seed(SAMPLE_SEED, name, suite.version, row.id, index % k)
        )
        for index, row in enumerate(repeated)
    ]
    with scoring(spec, lm, {"accuracy": 1.0}) as score, lm.sampler(spec) as sampler:
        completions = sampler.generate(
            requests,
            Sampling(suite.max_tokens, suite.temperature, suite.top_p),
            finished=lambda index, ids: score.ahead(lm.decode(ids), repeated[index]),
        )
        texts = [lm.decode(c.ids) for c in completions]
        scored = score(texts, repeated)
        answers = [extract_answer(text, row) for text, row in zip(texts, repeated, strict=True)]
        correct = [s.verdict == Verdict.CORRECT for s in scored]
        ballots = votes(_by_problem(answers, k), _by_problem(correct, k), rows, score.judge)
    flags = load_flags(spec.inputs["dataset"], name)
    contaminated = [None if flags is None else row.id in flags for row in rows]
    problems = [
        Problem(row.id, row.level, flag, tuple(map(_sample, completions_of, scored_of, ballot)))
        for row, flag, completions_of, scored_of, ballot in zip(
            rows, contaminated, _by_problem(completions, k), _by_problem(scored, k), ballots, strict=True
        )
    ]
    flagged = [flag for flag in contaminated for _ in range(k)]
    _write_answers(spec.out / f"{name}.parquet", repeated, completions, texts, answers, scored, flagged, k)
    return suite_figures(problems, votes=all(row.verifier != "code" for row in rows))


def _by_problem(values: Sequence[T], samples: int) -> list[Sequence[T]]:
    return [values[start : start + samples] for start in range(0, len(values), samples)]


def _sample(completion: Completion, scored: Scored, vote: Vote) -> Sample:
    return Sample(
        correct=scored.verdict == Verdict.CORRECT,
        vote=vote,
        format_ok=scored.format_ok,
        language=scored.language,
        length=len(completion.ids),
        finished=completion.finished,
        reflections=scored.reflections,
        scored=scored.total is not None,
    )


def _write_answers(
    path: Path,
    rows: Sequence[Row],
    completions: Sequence[Completion],
    texts: Sequence[str],
    answers: Sequence[str | None],
    scored: Sequence[Scored],
    contaminated: Sequence[bool | None],
    samples: int,
) -> None:
    table = pa.table(
        {
            "problem_id": [row.id for row in rows],
            "prompt": [row.prompt for row in rows],
            "gold": [row.answer for row in rows],
            "level": pa.array([row.level for row in rows], pa.int32()),
            "contaminated": pa.array(contaminated, pa.bool_()),
            "sample": [index % samples for index in range(len(rows))],
            "text": list(texts),
            "answer": pa.array(answers, pa.string()),
            "verdict": [s.verdict for s in scored],
            "language": pa.array([s.language for s in scored], pa.float64()),
            "format_ok": [s.format_ok for s in scored],
            "reflections": [s.reflections for s in scored],
            "num_tokens": [len(c.ids) for c in completions],
            "finished": [c.finished for c in completions],
        }
    )
    pq.write_table(table, path, compression="zstd")
