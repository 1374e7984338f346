"""The run's report: the artifacts of its stages in, one HTML page out."""

from typing import Any

from components.programs.spec import Spec
from components.report.page import write_report


def main(raw: dict[str, Any]) -> dict[str, float]:
    """Writes ``report.html``; returns how many stages were given and how many plots were drawn."""
    spec = Spec.model_validate(raw)
    plots = write_report(spec.inputs, spec.notes, spec.out / "report.html")
    return {"stages": float(len(spec.inputs)), "plots": float(plots)}
