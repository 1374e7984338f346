"""A stage's run in MLflow, below that of the recipe."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from r1flow.components.core.params import flatten
from r1flow.components.costs.bill import cost_metrics
from r1flow.components.store.manifest import ArtifactRef
from r1flow.components.store.rollouts import TABLE
from r1flow.tasks.proofs import proof_tags
from r1flow.tasks.session import Session, process_tags
from r1flow.tasks.work import Work


def start_child(session: Session, work: Work, address: str, *, reused: bool) -> str:
    """Open the run of a stage, with its settings and the artifacts it takes; its id."""
    run_id = session.tracking.start_child(
        session.run_id,
        work.name,
        tags={
            "r1.kind": work.kind.artifact,
            "r1.fingerprint": address,
            "r1.reused": str(reused).lower(),
            **process_tags(),
            **work.tags,
        },
        params=flatten(dict(work.config)),
    )
    for role, ref in work.inputs.items():
        session.tracking.log_input(run_id, name=role, uri=ref.uri, digest=ref.manifest_sha256[:36], context=role)
    return run_id


def log_result(
    session: Session,
    work: Work,
    run_id: str,
    ref: ArtifactRef,
    metrics: Mapping[str, Any],
    bill: Mapping[str, Any],
    directory: Path,
    card: Path,
) -> None:
    """What came of a computed stage: metrics, cost, log, table of completions, card."""
    tracking = session.tracking
    tracking.log_summary(run_id, _numbers(metrics))
    tracking.log_summary(run_id, cost_metrics(bill))
    tracking.set_tags(run_id, {"r1.artifact": ref.uri, **proof_tags(work.kind.artifact, metrics)})
    tracking.log_file(run_id, directory / "log.txt", "")
    tracking.log_table(run_id, directory / TABLE)
    tracking.log_file(run_id, card, "")


def log_reused(session: Session, work: Work, ref: ArtifactRef, metrics: Mapping[str, Any]) -> None:
    """A run of a stage that was there already."""
    run_id = start_child(session, work, ref.fingerprint, reused=True)
    session.tracking.log_summary(run_id, _numbers(metrics))
    session.tracking.set_tags(run_id, {"r1.artifact": ref.uri, **proof_tags(work.kind.artifact, metrics)})
    session.tracking.finish(run_id, "FINISHED")


def _numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in metrics.items() if isinstance(value, int | float)}
