"""The run's report: the artifacts of its stages in, one HTML page out, and what was counted for it as tables of the lake."""

from typing import Any

from r1flow.components.evals.report.page import write_report
from r1flow.components.programs.spec import Spec
from r1flow.components.rewards.markers import Finder


def main(raw: dict[str, Any]) -> dict[str, float]:
    """Writes ``report.html`` and the lake's tables ``aha``; returns how many stages were given and how many plots drawn."""
    spec = Spec.model_validate(raw)
    symbols = spec.language.target + spec.language.other if spec.language.other is not None else ""
    finder = Finder(spec.language.reflection_words, symbols=symbols)
    plots = write_report(spec.inputs, spec.notes, spec.out / "report.html", finder)
    return {"stages": float(len(spec.inputs)), "plots": float(plots)}
