"""A run's summary: what it computed, what that cost, who reigns. The session writes it down when a run has ended well."""

import time
from typing import TYPE_CHECKING, Any

from r1flow.components.costs.bill import cost_metrics, stage_bill, total_bill
from r1flow.components.store.runs import write_summary
from r1flow.tasks.purse import rate_of

if TYPE_CHECKING:
    from r1flow.tasks.session import Session


def keep_summary(session: "Session") -> dict[str, Any]:
    """Close the run: its costs go to MLflow, its summary and recipe to ``runs/<id>/summary.json`` on the store."""
    summary = run_summary(session)
    session.tracking.log_summary(session.run_id, cost_metrics(summary["cost"]["together"]))
    kept = {**summary, "recipe": session.recipe.model_dump(mode="json", exclude_none=True)}
    write_summary(session.store, session.run_id, kept)
    return summary


def run_summary(session: "Session") -> dict[str, Any]:
    """What `r1 run --json` writes: the run, its stages in the order they ended, costs, the champion."""
    return {
        "run": session.run_id,
        "preset": session.recipe.preset,
        "seed": session.recipe.seed,
        "ended": time.time(),
        "seconds": round(time.monotonic() - session.started, 3),
        "store": session.settings.store_uri,
        "stages": [
            {
                "name": o.name,
                "ref": o.ref.model_dump(),
                "reused": o.reused,
                "seconds": round(o.seconds, 3),
                "metrics": o.metrics,
            }
            for o in session.outcomes
        ],
        "cost": run_bill(session),
        "champion": session.champion.model_dump() if session.champion else None,
        "tracking_failures": session.tracking.failures,
    }


def run_bill(session: "Session") -> dict[str, Any]:
    """What the stages so far have cost, by stage and together; prices and power as they are set now."""
    rate, suite = session.purse.rate, _deciding_suite(session)
    rates = {cost.device: rate_of(cost.device, session.settings) for o in session.outcomes if (cost := o.cost)}
    pass_at_1 = {
        o.name.removeprefix("evaluate/"): float(value)
        for o in session.outcomes
        if o.name.startswith("evaluate/") and (value := o.metrics.get(f"{suite}/pass_at_1")) is not None
    }
    lines = [
        stage_bill(o.name, o.cost, rates[o.cost.device], pass_at_1) for o in session.outcomes if o.cost is not None
    ]
    return {
        "device": session.purse.device,
        "price_per_device_hour": rate.price,
        "watts": rate.watts,
        "suite": suite,
        "stages": lines,
        "together": total_bill(lines, pass_at_1),
    }


def _deciding_suite(session: "Session") -> str:
    """The suite that points of pass@1 are counted on: the gate's, else the first."""
    recipe = session.recipe
    return recipe.gate.suite if recipe.gate else next(iter(recipe.suites), "")
