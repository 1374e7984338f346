"""The run's report as a stage, and the run's summary."""

import time
from dataclasses import asdict
from typing import Any

from prefect.artifacts import create_link_artifact

from components.config.conformance import conformance
from components.config.recipe import Recipe
from components.plan.bill import stage_bill, total_bill
from tasks.purse import rate_of
from tasks.registry import Champion
from tasks.session import Session, StageOutcome, current_session
from tasks.stage import Work, stage


@stage("report", version="1")
def make_report(recipe: Recipe, name: str, champion: Champion | None) -> Work:
    """One HTML page over everything that the session has computed so far."""
    session = current_session()
    outcomes = list(session.outcomes)
    notes = {
        **run_summary(session, champion, 0.0),
        "description": recipe.description,
        "conformance": [asdict(line) for line in conformance(recipe)],
        "stages": [
            {
                "name": o.name,
                "kind": o.ref.kind,
                "fingerprint": o.ref.fingerprint,
                "uri": o.ref.uri,
                "reused": o.reused,
                "seconds": round(o.seconds, 1),
            }
            for o in outcomes
        ],
    }
    return Work(name, "report", recipe, {"suites": list(recipe.suites)}, {o.name: o.ref for o in outcomes}, notes=notes)


def publish_report(recipe: Recipe, champion: Champion | None) -> StageOutcome:
    """Make the report and link it in the Prefect UI."""
    outcome = make_report(recipe, "report", champion)
    create_link_artifact(key="report", link=outcome.ref.uri, link_text="the run's report", description=outcome.ref.uri)
    return outcome


def run_bill(session: Session) -> dict[str, Any]:
    """What the stages so far have cost, by stage and together; prices and power as they are set now."""
    rate, suite = session.purse.rate, _deciding_suite(session.recipe)
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


def _deciding_suite(recipe: Recipe) -> str:
    """The suite that points of pass@1 are counted on: the gate's, else the first."""
    return recipe.gate.suite if recipe.gate else next(iter(recipe.suites), "")


def run_summary(session: Session, champion: Champion | None, seconds: float) -> dict[str, Any]:
    """What `r1 run --json` writes: the run, its stages in the order they ended, the champion."""
    return {
        "run": session.run_id,
        "preset": session.recipe.preset,
        "seed": session.recipe.seed,
        "ended": time.time(),
        "seconds": round(seconds, 3),
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
        "champion": champion.model_dump() if champion else None,
        "tracking_failures": session.tracking.failures,
    }
