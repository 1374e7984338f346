"""The gate and the registry: what a model must show before it becomes champion."""

from prefect import task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE

from r1flow.components.evals.compare import problem_means
from r1flow.components.evals.gate import Decision, decide
from r1flow.components.recipe.run import PromoteConfig
from r1flow.components.store.artifact import find, materialize, verify
from r1flow.components.tracking.promotions import Promotion, append_promotion, promotions
from r1flow.components.tracking.registry import Registry
from r1flow.tasks.approval import Answer, as_list
from r1flow.tasks.session import Champion, Session, StageOutcome, current_session
from r1flow.tasks.shown import shown

FLUSH_S = 10.0
METRICS = ("format", "pass_at_1_low", "pass_at_1_high")


@task(name="gate", task_run_name="gate", cache_policy=NO_CACHE, persist_result=False)
def ask_gate(registered: str, gate: PromoteConfig, evaluation: StageOutcome) -> Decision:
    """Whether the model reaches the thresholds and the reigning champion, on the same problems; nothing is changed."""
    session, log = current_session(), promotions(current_session().store, registered)
    return _decide(session, gate, evaluation, log[-1] if log else None)


@task(name="promote", task_run_name="promote {registered}", cache_policy=NO_CACHE, persist_result=False)
def promote_model(
    registered: str, gate: PromoteConfig, model: StageOutcome, evaluation: StageOutcome, answer: Answer
) -> Champion:
    """If the gate opens and ``answer`` agrees: log, register, move the alias.

    The gate is asked here, whatever was shown to the person who agreed: another model may have become champion since.
    """
    session = current_session()
    log = promotions(session.store, registered)
    reigning = log[-1] if log else None
    decision = _decide(session, gate, evaluation, reigning)
    reasons = [*decision.reasons, *([answer.reason] if decision.passed and answer.reason else [])]
    promoted = decision.passed and answer.promote
    entry = reigning
    if promoted:
        verify(session.store, model.ref)  # a reused model may not have been read in this run
        entry = append_promotion(
            session.store,
            registered,
            model.ref,
            evaluation.ref,
            decision.evidence,
            after=log,
            action="human" if answer.by else "gate",
            reason="; ".join(reasons),
            by=answer.by or f"run {session.run_id}",
        )
    if entry:  # without an opened gate too: aliases that differ from the log are fixed
        session.tracking.flush(FLUSH_S)  # so that the new version can name the run that made it
        Registry(session.settings.tracking_uri).try_project(session.store, registered)
    with shown("the promotion"):
        create_markdown_artifact(
            key="promotion",
            markdown=f"# {registered}: {'promoted' if promoted else 'not promoted'}\n\n{as_list(reasons)}",
        )
    champion = Champion(
        model=registered,
        promoted=promoted,
        reasons=reasons,
        uri=entry.ref.uri if entry else None,
        version=entry.version if entry else None,
    )
    session.champions.append(champion)
    return champion


def _decide(session: Session, gate: PromoteConfig, evaluation: StageOutcome, reigning: Promotion | None) -> Decision:
    old: dict[str, float] | None = None
    if reigning is not None and find(session.store, reigning.evaluation.kind, reigning.evaluation.fingerprint):
        old = problem_means(materialize(session.store, reigning.evaluation, session.settings.cache), gate.suite)
    new = problem_means(materialize(session.store, evaluation.ref, session.settings.cache), gate.suite)
    metrics = {name: float(evaluation.metrics[f"{gate.suite}/{name}"] or 0.0) for name in METRICS}
    return decide(
        new,
        old,
        form=metrics["format"],
        interval=(metrics["pass_at_1_low"], metrics["pass_at_1_high"]),
        min_pass_at_1=gate.min_pass_at_1,
        min_format=gate.min_format,
        max_drop=gate.max_drop,
    )
