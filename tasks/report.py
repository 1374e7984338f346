"""The run's report: one page over everything that the session has computed so far."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from prefect.artifacts import create_link_artifact, create_table_artifact

from r1flow.components.core.errors import R1Error
from r1flow.components.costs.check import checks
from r1flow.components.costs.decoder import Decoder
from r1flow.components.costs.preset import models_of
from r1flow.components.evals.lake.made import made_of
from r1flow.components.recipe.conformance import conformance
from r1flow.components.recipe.kinds import IMPLIED
from r1flow.components.store.artifact import read_manifest
from r1flow.tasks.counting import count_models
from r1flow.tasks.session import Session, StageOutcome, current_session
from r1flow.tasks.shown import shown
from r1flow.tasks.stage import compute
from r1flow.tasks.summary import run_summary
from r1flow.tasks.work import Work

NAME = "report"


def publish_report() -> StageOutcome:
    """Make the report; link it and table the run's stages in the Prefect UI."""
    session = current_session()
    outcome = compute(_work(session))
    stages = [
        {
            "stage": o.name,
            "artifact": o.ref.short,
            "reused": o.reused,
            "seconds": round(o.seconds, 1),
            "device-seconds": round(o.cost.device_seconds, 1) if o.cost else None,
            "where": o.ref.uri,
        }
        for o in session.done.values()
    ]
    with shown("the run's table and report"):
        create_table_artifact(key="stages", table=stages, description=f"Run `{session.run_id}`, stage by stage")
        create_link_artifact(
            key="report", link=outcome.ref.uri, link_text="the run's report", description=outcome.ref.uri
        )
    return outcome


def _models(session: Session) -> Mapping[str, Decoder]:
    """The run's start models, as its plan counts them."""
    try:
        return count_models(session.recipe, session.settings.cache, server=session.server()).models
    except R1Error:  # such as a directory that is another by now; no report is worth that, the run has ended well
        return models_of(session.recipe)


def _work(session: Session) -> Work:
    """The page's inputs are the run's artifacts by the names of their stages, which it shows."""
    recipe, outcomes = session.recipe, list(session.done.values())
    graph, costs = recipe.graph, {o.name: o.cost for o in outcomes if o.cost}
    notes: dict[str, Any] = {
        **run_summary(session),
        "description": recipe.description,
        "titles": {name: recipe.title(name) for name in graph.nodes if name in session.done},
        "rivals": graph.rivals(),
        "plan": [asdict(line) for line in checks(recipe, costs, _models(session))],
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
    first = next(iter(graph.main_line()), "")
    settings = {"language": recipe.language_of(first).model_dump(mode="json")}
    return Work(
        NAME,
        IMPLIED["report"],
        {"suites": list(recipe.suites)},
        settings=settings,
        inputs={o.name: o.ref for o in outcomes},
        place=session.place.beside(recipe),
        notes=notes,
    )
