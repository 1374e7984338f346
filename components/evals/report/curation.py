"""What became of the data of a run, dataset by dataset, and which problems of suites training rows still meet."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from r1flow.components.data.composition import compose, dropped
from r1flow.components.evals.contamination import clean_pass_at_1, met_by_any, met_problems
from r1flow.components.evals.report.names import Names
from r1flow.components.evals.report.tables import amounts, passed_over, waterfall

PAIRS_SHOWN = 8
EXAMPLES = 3
"""Problems that are named where rows meet more of a suite."""


def dataset_section(name: str, artifact: Path, names: Names) -> dict[str, Any]:
    """A dataset: the waterfall, what it is made of, what was dropped, and what kept rows still meet."""
    report = _report(artifact)
    sizes = {suite: facts["problems"] for suite, facts in report.get("suites", {}).items()}
    return {
        "name": names.title(name),
        "bars": waterfall(report["counts"]),
        "made_of": [(kind, amounts(rows)) for kind, rows in compose(artifact).tables().items()],
        "dropped": dropped(artifact),
        "evaluation": report["counts"].get("evaluation", 0),
        "pairs": [pair for pair in report["contaminated"] if pair.get("dropped", True)][:PAIRS_SHOWN],
        "num_pairs": report["counts"]["contaminated"] + report["counts"].get("evaluation_variants", 0),
        "met": [_met(suite, rules, sizes.get(suite)) for suite, rules in met_problems(artifact).items()],
    }


def clean_table(evaluations: Mapping[str, Path], datasets: Sequence[Path], names: Names) -> dict[str, Any] | None:
    """pass@1 of every model on the problems that no training row meets, of the suites where some are; None where none is."""
    met = met_by_any(datasets)
    suites = sorted(
        suite for suite in met if any((path / f"{suite}.parquet").is_file() for path in evaluations.values())
    )
    if not suites:
        return None
    return {
        "columns": [f"{suite} without {len(met[suite]):,}" for suite in suites],
        "rows": [
            (names.title(model), [_clean(evaluations[model], suite, met[suite]) for suite in suites])
            for model in names.in_order(evaluations)
        ],
    }


def selection_section(name: str, artifact: Path, names: Names) -> dict[str, Any]:
    """A selection: what became of the completions that it looked at."""
    report = _report(artifact)
    return {
        "name": names.title(name),
        "bars": passed_over(report),
        "seen": report["seen"],
        "selected": report["selected"],
        "general": report.get("general", 0),
    }


def _met(suite: str, rules: Mapping[str, str], size: int | None) -> tuple[str, str, str, str]:
    """A suite, how many of its problems are met, by which rules, and some of them."""
    counts = ", ".join(f"{rule} {number:,}" for rule, number in sorted(Counter(rules.values()).items()))
    some = ", ".join(sorted(rules)[:EXAMPLES]) + (" and so on" if len(rules) > EXAMPLES else "")
    return suite, f"{len(rules):,}" + ("" if size is None else f" of {size:,}"), counts, some


def _clean(evaluation: Path, suite: str, met: set[str]) -> str:
    if not (evaluation / f"{suite}.parquet").is_file():
        return ""
    found = clean_pass_at_1(evaluation, suite, met)
    return "" if found is None else f"{found.mean:.3f} ({found.low:.3f} to {found.high:.3f})"


def _report(artifact: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((artifact / "report.json").read_text(encoding="utf-8"))
    return found
