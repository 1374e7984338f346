"""The problems of all suites of a recipe: what models are measured on, and what training data is held against."""

import json
from dataclasses import asdict
from typing import Any

from r1flow.components.core.artifacts import Suites
from r1flow.components.core.schema import QuarantinedRow, Row
from r1flow.components.data.files import dump_rows
from r1flow.components.data.intake import Intake
from r1flow.components.programs.spec import Spec
from r1flow.components.recipe.data import SourceConfig
from r1flow.components.recipe.origins import Origin, with_addresses

SUITE_SEED = 20250120
"""Suites hold the same problems in every run, whatever the recipe's seed."""
MAX_BAD = 0.01
"""More malformed rows than this in a suite are an error."""


def main(raw: dict[str, Any]) -> dict[str, float]:
    """Writes ``SUITE.jsonl`` with all problems of each, and ``quarantine.jsonl``."""
    spec = Spec.model_validate(raw)
    settings = with_addresses(spec.config, spec.notes.get("addresses", {}))
    spec.out.mkdir(parents=True, exist_ok=True)
    intake = Intake(MAX_BAD)
    bad: list[QuarantinedRow] = []
    metrics: dict[str, float] = {}
    for name, suite in settings["suites"].items():
        source = SourceConfig.model_validate(suite["source"])
        rows: list[Row] = []
        for item in intake.items([Origin(name, f"suites.{name}.source", source)], SUITE_SEED):
            if isinstance(item, Row):
                rows.append(item.model_copy(update={"id": f"{name}-{item.id}"}) if source.is_builtin else item)
            else:
                bad.append(item)
        dump_rows(rows, Suites(spec.out).problems(name))
        metrics[f"{name}/problems"] = float(len(rows))
    with (spec.out / "quarantine.jsonl").open("w", encoding="utf-8") as quarantine:
        quarantine.writelines(json.dumps(asdict(line)) + "\n" for line in bad)
    return metrics | {"quarantined": float(len(bad))}
