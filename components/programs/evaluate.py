"""Evaluation of one model on all suites of the recipe: every answer kept, metrics with intervals."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from r1flow.components.core.artifacts import Suites
from r1flow.components.core.rollout import Rollout
from r1flow.components.core.schema import Row
from r1flow.components.core.seeds import derive_seed
from r1flow.components.core.spool import Spool
from r1flow.components.data.files import load_rows
from r1flow.components.evals.answers import extract_answer
from r1flow.components.evals.asking import asked
from r1flow.components.evals.metrics import Problem, Sample, suite_metrics
from r1flow.components.evals.vote import Vote, votes
from r1flow.components.programs.context import need_room
from r1flow.components.programs.language_model import LanguageModel, open_model, scoring
from r1flow.components.programs.spec import Spec
from r1flow.components.recipe.suites import SuiteConfig
from r1flow.components.sampling.base import Sampling
from r1flow.components.sampling.collect import collect
from r1flow.components.store.rollouts import lake

ANSWERS = pa.schema(
    [
        ("problem_id", pa.string()),
        ("prompt", pa.string()),
        ("gold", pa.string()),
        ("level", pa.int32()),
        ("sample", pa.int64()),
        ("text", pa.string()),
        ("answer", pa.string()),
        ("verdict", pa.string()),
        ("language", pa.float64()),
        ("format_ok", pa.bool_()),
        ("reflections", pa.int64()),
        ("num_tokens", pa.int64()),
        ("finished", pa.bool_()),
    ]
)
SAMPLE_SEED = 20250122  # evaluation draws the same numbers in every run, whatever the recipe's seed


def main(raw: dict[str, Any]) -> dict[str, float]:
    spec = Spec.model_validate(raw)
    lm = open_model(spec, spec.inputs["model"])
    spool = Spool(spec.spool)
    spec.out.mkdir(parents=True, exist_ok=True)
    metrics: dict[str, float] = {}
    suites = {name: SuiteConfig.model_validate(settings) for name, settings in sorted(spec.config["suites"].items())}
    problems = {n: load_rows(Suites(spec.inputs["suites"]).problems(n))[: s.problems] for n, s in suites.items()}
    for name, suite in suites.items():
        put = [asked(row, suite.prompt) for row in problems[name]]
        need_room(f"{spec.stage}: suite {name}", lm, put, suite.max_tokens)
    for index, (name, suite) in enumerate(suites.items(), 1):
        rows = problems[name]
        found = evaluate(spec, lm, name, suite, rows)
        metrics |= {f"{name}/{key}": value for key, value in found.items()}
        spool.append(index, {f"{name}/{key}": value for key, value in found.items()})
    (spec.out / "metrics.json").write_text(json.dumps(metrics, indent=1))
    return metrics


def evaluate(spec: Spec, lm: LanguageModel, name: str, suite: SuiteConfig, rows: Sequence[Row]) -> dict[str, float]:
    """k samples of every row, scored; writes ``<suite>.parquet`` and returns the suite's metrics."""
    k = suite.samples
    with scoring(spec, lm, {"accuracy": 1.0}) as score, lm.sampler(spec) as sampler:
        rollouts = collect(
            sampler,
            score,
            rows,
            Sampling(suite.max_tokens, suite.temperature, suite.top_p),
            samples=k,
            seeds=[derive_seed(SAMPLE_SEED, name, suite.version, row.id, i) for row in rows for i in range(k)],
            encode=lambda row: lm.encode_prompt(asked(row, suite.prompt)),
            decode=lm.decode,
        )
        answered = [rollouts[start : start + k] for start in range(0, len(rollouts), k)]
        answers = [[extract_answer(r.text, row) for r in group] for row, group in zip(rows, answered, strict=True)]
        ballots = votes(answers, [[r.correct for r in group] for group in answered], rows, score.judge)
    problems = [
        Problem(row.id, row.level, None, tuple(map(_sample, group, ballot)))
        for row, group, ballot in zip(rows, answered, ballots, strict=True)
    ]
    write_answers(spec.out / f"{name}.parquet", rows, answered, answers)
    return suite_metrics(problems, votes=all(row.verifier != "code" for row in rows))


def _sample(rollout: Rollout, vote: Vote) -> Sample:
    return Sample(
        correct=rollout.correct,
        vote=vote,
        format_ok=rollout.format_ok,
        language=rollout.language,
        length=len(rollout.ids),
        finished=rollout.finished,
        reflections=rollout.reflections,
        scored=rollout.reward is not None,
    )


def write_answers(
    path: Path,
    rows: Sequence[Row],
    answered: Sequence[Sequence[Rollout]],
    answers: Sequence[Sequence[str | None]],
) -> None:
    """Every completion beside its problem, a row each; ``answered`` and ``answers`` stand beside ``rows``, k each."""
    table = [
        {"problem_id": row.id, "prompt": row.prompt, "gold": row.answer, "level": row.level}
        | {"answer": answer}
        | lake.columns(rollout)
        for row, group, said in zip(rows, answered, answers, strict=True)
        for rollout, answer in zip(group, said, strict=True)
    ]
    pq.write_table(pa.Table.from_pylist(table, schema=ANSWERS), path, compression="zstd")
