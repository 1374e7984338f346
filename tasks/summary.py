"""A run's summary: what it computed, what that cost, who reigns. The session writes it down when a run has ended well."""

import time
from typing import TYPE_CHECKING, Any

from r1flow.components.costs.bill import cost_metrics, stage_bill, total_bill
from r1flow.components.store.runs import write_summary
from r1flow.tasks.budget import rate_of

if TYPE_CHECKING:
    from r1flow.tasks.session import Session


def keep_summary(session: "Session") -> dict[str, Any]:
    """Close the run: its costs go to MLflow, its summary and recipe to ``runs/<id>/summary.json`` on the store."""
    summary = run_summary(session)
    session.tracking.log_summary(session.run_id, cost_metrics(summary["cost"]["together"]))
    kept = {**summary, "settings": session.recipe.model_dump(mode="json", exclude_none=True)}
    write_summary(session.store, session.run_id, kept)
    return summary


def run_summary(session: "Session") -> dict[str, Any]:
    """What `r1 run --json` writes: the run, its stages in the order they ended, costs, the champions."""
    graph = session.recipe.graph
    return {
        "run": session.run_id,
        "recipe": session.recipe.name,
        "seed": session.recipe.seed,
        "ended": time.time(),
        "seconds": round(time.monotonic() - session.started, 3),
        "store": session.settings.store_uri,
        "stages": [
            {
                "name": outcome.name,
                "title": session.recipe.title(outcome.name),
                "ref": outcome.ref.model_dump(),
                "reused": outcome.reused,
                "seconds": round(outcome.seconds, 3),
                "metrics": outcome.metrics,
            }
            for outcome in session.done.values()
        ],
        "main_line": graph.main_line(),
        "starts": {name: graph.root(name) for name in graph.models()},
        "cost": run_bill(session),
        "champions": [champion.model_dump() for champion in session.champions],
        "tracking_failures": session.tracking.failures,
    }


def run_bill(session: "Session") -> dict[str, Any]:
    """What the stages so far have cost, by stage and together; prices and power as they are set now."""
    rate, suite, outcomes = session.budget.rate, _deciding_suite(session), list(session.done.values())
    rates = {cost.device: rate_of(cost.device, session.settings) for o in outcomes if (cost := o.cost)}
    pass_at_1 = {
        o.name.removeprefix("evaluate/"): float(value)
        for o in outcomes
        if o.name.startswith("evaluate/") and (value := o.metrics.get(f"{suite}/pass_at_1")) is not None
    }
    graph, made = session.recipe.graph, set[str]()
    lines = []
    for outcome in outcomes:
        if outcome.cost is not None and outcome.ref.fingerprint not in made:
            made.add(outcome.ref.fingerprint)  # stages that share an artifact paid for it once
            start = next(graph.line(outcome.name), "")
            points = _points(pass_at_1, start, outcome.name)
            lines.append(stage_bill(outcome.name, outcome.cost, rates[outcome.cost.device], points))
    line = graph.main_line()
    return {
        "device": session.budget.device,
        "price_per_device_hour": rate.price,
        "watts": rate.watts,
        "suite": suite,
        "stages": lines,
        "together": total_bill(lines, _points(pass_at_1, line[0], line[-1]) if line else None),
    }


def _points(pass_at_1: dict[str, float], start: str, end: str) -> float | None:
    """Points of pass@1, of 100, by which one model lies above another; None where one of them was not measured."""
    if start not in pass_at_1 or end not in pass_at_1:
        return None
    return 100 * (pass_at_1[end] - pass_at_1[start])


def _deciding_suite(session: "Session") -> str:
    """The suite that points of pass@1 are counted on: the first promotion's, else the first."""
    recipe = session.recipe
    return next((promotion.suite for promotion in recipe.promote.values()), next(iter(recipe.suites), ""))
