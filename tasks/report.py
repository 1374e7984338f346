"""The run's report as a stage."""

from dataclasses import asdict

from prefect.artifacts import create_link_artifact, create_table_artifact

from r1flow.components.costs.check import checks
from r1flow.components.evals.lake.made import made_of
from r1flow.components.recipe.conformance import conformance
from r1flow.components.recipe.recipe import Recipe
from r1flow.components.store.artifact import read_manifest
from r1flow.tasks.session import StageOutcome, current_session
from r1flow.tasks.shown import shown
from r1flow.tasks.stage import Work, stage
from r1flow.tasks.summary import run_summary


@stage("report", version="4")
def make_report(recipe: Recipe, name: str) -> Work:
    """One HTML page over everything that the session has computed so far."""
    session = current_session()
    outcomes = list(session.outcomes)
    notes = {
        **run_summary(session),
        "description": recipe.description,
        "plan": [asdict(line) for line in checks(recipe, {o.name: o.cost for o in outcomes if o.cost})],
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
        "made": {o.name: asdict(made_of(read_manifest(session.store, o.ref), o.name)) for o in outcomes},
    }
    return Work(name, "report", recipe, {"suites": list(recipe.suites)}, {o.name: o.ref for o in outcomes}, notes=notes)


def publish_report(recipe: Recipe) -> StageOutcome:
    """Make the report; link it and table the run's stages in the Prefect UI."""
    outcome = make_report(recipe, "report")
    stages = [
        {
            "stage": o.name,
            "artifact": o.ref.short,
            "reused": o.reused,
            "seconds": round(o.seconds, 1),
            "device-seconds": round(o.cost.device_seconds, 1) if o.cost else None,
            "where": o.ref.uri,
        }
        for o in current_session().outcomes
    ]
    with shown("the run's table and report"):
        create_table_artifact(
            key="stages", table=stages, description=f"Run `{current_session().run_id}`, stage by stage"
        )
        create_link_artifact(
            key="report", link=outcome.ref.uri, link_text="the run's report", description=outcome.ref.uri
        )
    return outcome
