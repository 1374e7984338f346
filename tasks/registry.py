"""The gate and the registry: what a model must show before it becomes champion."""

from prefect import task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE

from r1flow.components.core.errors import ConfigError
from r1flow.components.evals.compare import problem_means
from r1flow.components.evals.gate import Decision, decide
from r1flow.components.recipe.recipe import Recipe
from r1flow.components.recipe.stages import GateConfig
from r1flow.components.store.artifact import find, materialize, verify
from r1flow.components.tracking.promotions import Promotion, append_promotion, promotions
from r1flow.components.tracking.registry import Registry
from r1flow.tasks.approval import Answer, as_list
from r1flow.tasks.session import Champion, Session, StageOutcome, current_session
from r1flow.tasks.shown import shown

FLUSH_S = 10.0
FIGURES = ("format", "pass_at_1_low", "pass_at_1_high")


@task(name="gate", task_run_name="gate", cache_policy=NO_CACHE, persist_result=False)
def judge_model(recipe: Recipe, evaluation: StageOutcome) -> Decision:
    """Whether the model reaches the thresholds and the reigning champion, on the same problems; nothing is changed."""
    session, log = current_session(), promotions(current_session().store, recipe.registered_name)
    return _decide(session, _gate(recipe), evaluation, log[-1] if log else None)


@task(name="promote", task_run_name="promote", cache_policy=NO_CACHE, persist_result=False)
def promote_model(recipe: Recipe, model: StageOutcome, evaluation: StageOutcome, answer: Answer) -> Champion:
    """If the gate opens and ``answer`` agrees: log, register, move the alias.

    The gate is asked here, whatever was shown to the person who agreed: another model may have become champion since.
    """
    session, gate, name = current_session(), _gate(recipe), recipe.registered_name
    log = promotions(session.store, name)
    reigning = log[-1] if log else None
    decision = _decide(session, gate, evaluation, reigning)
    reasons = [*decision.reasons, *([answer.reason] if decision.passed and answer.reason else [])]
    promoted = decision.passed and answer.promote
    entry = reigning
    if promoted:
        verify(session.store, model.ref)  # a reused model may not have been read in this run
        entry = append_promotion(
            session.store,
            name,
            model.ref,
            evaluation.ref,
            decision.evidence,
            after=log,
            action="human" if answer.by else "gate",
            reason="; ".join(reasons),
            by=answer.by or f"run {session.run_id}",
        )
    if entry:  # without an opened gate too: aliases that differ from the log are mended
        session.tracking.flush(FLUSH_S)  # so that the new version can name the run that made it
        Registry(session.settings.tracking_uri).try_project(session.store, name)
    with shown("the promotion"):
        create_markdown_artifact(
            key="promotion", markdown=f"# {name}: {'promoted' if promoted else 'not promoted'}\n\n{as_list(reasons)}"
        )
    session.champion = Champion(
        model=name,
        promoted=promoted,
        reasons=reasons,
        uri=entry.ref.uri if entry else None,
        version=entry.version if entry else None,
    )
    return session.champion


def _gate(recipe: Recipe) -> GateConfig:
    if recipe.gate is None:
        raise ConfigError("gate: this recipe has no gate; add [gate] with suite = NAME")
    return recipe.gate


def _decide(session: Session, gate: GateConfig, evaluation: StageOutcome, reigning: Promotion | None) -> Decision:
    old: dict[str, float] | None = None
    if reigning is not None and find(session.store, reigning.evaluation.kind, reigning.evaluation.fingerprint):
        old = problem_means(materialize(session.store, reigning.evaluation, session.settings.cache), gate.suite)
    new = problem_means(materialize(session.store, evaluation.ref, session.settings.cache), gate.suite)
    figures = {name: float(evaluation.metrics[f"{gate.suite}/{name}"] or 0.0) for name in FIGURES}
    return decide(
        new,
        old,
        form=figures["format"],
        interval=(figures["pass_at_1_low"], figures["pass_at_1_high"]),
        min_pass_at_1=gate.min_pass_at_1,
        min_format=gate.min_format,
        max_drop=gate.max_drop,
    )
