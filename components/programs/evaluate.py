"""Evaluation of one model on all suites of the recipe: every answer kept, figures with intervals."""

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from components.config.stages import SuiteConfig
from components.data.files import load_rows
from components.data.schema import Row
from components.evals.answers import extract_answer
from components.evals.stats import cons_at_k, pass_at_1, pass_at_k
from components.programs.language_model import LanguageModel, open_model, scoring
from components.programs.spec import Spec
from components.rewards.score import Scored
from components.sampling.base import Completion, Request, Sampling
from components.seeds import derive_seed
from components.tracking.metrics import Spool

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
    repeated = [row for row in rows for _ in range(suite.samples)]
    requests = [
        Request(lm.encode_prompt(row), derive_seed(SAMPLE_SEED, name, suite.version, row.id, index % suite.samples))
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
    _write_answers(spec.out / f"{name}.parquet", repeated, completions, texts, answers, scored, suite.samples)
    return figures(suite.samples, rows, completions, answers, scored)


def figures(
    samples: int,
    rows: Sequence[Row],
    completions: Sequence[Completion],
    answers: Sequence[str | None],
    scored: Sequence[Scored],
) -> dict[str, float]:
    """The suite's table: pass@1 with its interval, pass@k, cons@k, format, language, length, truncation, by level."""
    blocks = [range(i, i + samples) for i in range(0, len(scored), samples)]
    correct = [[scored[i].verdict == "CORRECT" for i in block] for block in blocks]
    one = pass_at_1(correct)
    spoken = [s.language for s in scored if s.language is not None]
    num = len(scored)
    result = {
        "pass_at_1": one.mean,
        "pass_at_1_low": one.low,
        "pass_at_1_high": one.high,
        f"pass_at_{samples}": pass_at_k(correct, samples),
        f"cons_at_{samples}": cons_at_k([[answers[i] for i in block] for block in blocks], correct),
        "format": sum(s.format_ok for s in scored) / num,
        "language": sum(spoken) / len(spoken) if spoken else 0.0,
        "length": sum(len(c.ids) for c in completions) / num,
        "truncated": sum(not c.finished for c in completions) / num,
        "reflection": sum(s.reflections > 0 for s in scored) / num,
        "unscored": sum(s.total is None for s in scored) / num,
        "problems": float(len(rows)),
    }
    levels: dict[int, list[list[bool]]] = defaultdict(list)
    for row, marks in zip(rows, correct, strict=True):
        if row.level is not None:
            levels[row.level].append(marks)
    return result | {f"pass_at_1_level_{level}": pass_at_1(marks).mean for level, marks in sorted(levels.items())}


def _write_answers(
    path: Path,
    rows: Sequence[Row],
    completions: Sequence[Completion],
    texts: Sequence[str],
    answers: Sequence[str | None],
    scored: Sequence[Scored],
    samples: int,
) -> None:
    table = pa.table(
        {
            "problem_id": [row.id for row in rows],
            "prompt": [row.prompt for row in rows],
            "gold": [row.answer for row in rows],
            "level": pa.array([row.level for row in rows], pa.int32()),
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
