"""``r1 evaluate``: metrics with intervals from completions that are stored in files."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from rich.console import Console
from rich.table import Table

from r1flow.components.core.errors import ConfigError
from r1flow.components.core.schema import Verifier
from r1flow.components.evals.completions import Columns, read_completions
from r1flow.components.evals.metrics import Problem, suite_metrics
from r1flow.components.evals.paired import Comparison
from r1flow.components.evals.report.references import Published, published
from r1flow.components.evals.stored import compare_models, judge_stored
from r1flow.components.rewards.format import FormatStyle
from r1flow.components.rewards.pool.pool import ScoringPool

VERIFIERS = ("math", "choice", "exact")


def evaluate(
    files: Sequence[Path],
    suite: str,
    columns: Columns,
    *,
    verifier: str,
    style: str,
    language: str,
    prefilled: bool,
    workers: int | None,
    json_file: Path | None,
) -> None:
    """Judge every file, print its table and, for several files, how the others compare with the first."""
    chosen: Verifier = _one_of("--verifier", verifier, VERIFIERS)
    shape: FormatStyle = _one_of("--style", style, get_args(FormatStyle))
    names = [path.name for path in files] if len({path.name for path in files}) == len(files) else list(map(str, files))
    if len(set(names)) < len(names):
        raise ConfigError("--completions: the same file stands there twice")
    stored = {name: read_completions(path, columns, chosen) for name, path in zip(names, files, strict=True)}
    console = Console()
    with ScoringPool(workers or os.cpu_count() or 1) as pool, console.status("judging"):
        judged = {
            name: judge_stored(found, pool, style=shape, language=language, prefilled=prefilled)
            for name, found in stored.items()
        }
        comparisons = compare_models(stored, judged) if len(judged) > 1 else {}
    metrics = {name: suite_metrics(problems) for name, problems in judged.items()}
    for name, found in metrics.items():
        console.print(f"{suite}: {name}", markup=False, soft_wrap=True)
        console.print(_table(found, sum(len(p.samples) for p in judged[name])), "")
    for name, comparison in comparisons.items():
        console.print(f"{name} beside {names[0]}: {comparison}", markup=False, soft_wrap=True)
    if references := published(suite):
        console.print(_references(references))
    if json_file is not None:
        json_file.write_text(json.dumps(_record(suite, metrics, judged, comparisons), indent=1))


def _one_of(option: str, given: str, known: Sequence[str]) -> Any:
    if given not in known:
        raise ConfigError(f"{option} {given!r} is not one of {', '.join(known)}")
    return given


def _table(metrics: Mapping[str, float], samples: int) -> Table:
    """One line per metric with its 95 % interval, where it has one."""
    table = Table("metric", box=None, pad_edge=False)
    table.add_column("value", justify="right")
    table.add_column("95 % interval", justify="right")
    table.add_row("samples", str(samples))
    for name, value in metrics.items():
        if name.endswith(("_low", "_high")):
            continue
        counted = name in ("problems", "contaminated") or name.startswith("length")
        table.add_row(_label(name), f"{value:,.0f}" if counted else f"{value:.3f}", _interval(metrics, name))
        if name == "pass_at_1":
            table.add_row("  by sample", "", _interval(metrics, "pass_at_1_sample"))
    return table


def _references(models: Sequence[Published]) -> Table:
    """What others have published on a suite of this name."""
    table = Table("published, %", "pass@1", "cons@64", "source", box=None, pad_edge=False)
    for one in models:
        cons = "" if one.cons_at_64 is None else f"{one.cons_at_64:.1f}"
        table.add_row(one.model, f"{one.pass_at_1:.1f}", cons, one.source)
    return table


def _label(name: str) -> str:
    if name.startswith("length"):
        return name.replace("_", " ").replace("p95", "95 %") + ", characters"
    return name.replace("pass_at_", "pass@").replace("cons_at_", "cons@").replace("_", ", ")


def _interval(metrics: Mapping[str, float], name: str) -> str:
    low, high = metrics.get(f"{name}_low"), metrics.get(f"{name}_high")
    return "" if low is None or high is None else f"{low:.3f} to {high:.3f}"


def _record(
    suite: str,
    metrics: Mapping[str, Mapping[str, float]],
    judged: Mapping[str, Sequence[Problem]],
    comparisons: Mapping[str, Comparison],
) -> dict[str, Any]:
    """What ``--json`` writes: the metrics, every problem's share of correct samples, and the comparisons."""
    return {
        "suite": suite,
        "models": {
            name: {
                "metrics": found,
                "correct": {problem.id: [int(mark) for mark in problem.correct] for problem in judged[name]},
            }
            for name, found in metrics.items()
        },
        "comparisons": {
            name: {
                "difference": found.difference.mean,
                "low": found.difference.low,
                "high": found.difference.high,
                "problems": found.problems,
                "p": found.p,
                "p_corrected": found.corrected,
                "verdict": found.verdict,
            }
            for name, found in comparisons.items()
        },
    }
