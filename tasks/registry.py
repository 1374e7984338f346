"""The gate and the registry: what a model must show before it becomes champion."""

from prefect import task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from pydantic import BaseModel, ConfigDict

from components.config.recipe import Recipe
from components.config.stages import GateConfig
from components.errors import ConfigError
from components.evals.compare import problem_means
from components.evals.gate import Decision, decide
from components.store.artifact import find, materialize, read_manifest
from components.tracking.registry import Promotion, Registry, append_promotion, promotions
from tasks.session import Session, StageOutcome, current_session

FIGURES = ("format", "pass_at_1_low", "pass_at_1_high")


class Champion(BaseModel):
    """The outcome of a gate: who reigns now, and why."""

    model_config = ConfigDict(frozen=True)

    model: str
    promoted: bool
    reasons: list[str]
    uri: str | None
    version: int | None


@task(name="promote", task_run_name="promote", cache_policy=NO_CACHE, persist_result=False)
def promote_model(recipe: Recipe, model: StageOutcome, evaluation: StageOutcome) -> Champion:
    """Compare with the reigning champion on the same problems; if the gate opens, log, register, move the alias."""
    session = current_session()
    if recipe.gate is None:
        raise ConfigError("gate: this recipe has no gate; add [gate] with suite = NAME")
    name = recipe.registered_name
    log = promotions(session.store, name)
    reigning = log[-1] if log else None
    decision = _decide(session, recipe.gate, evaluation, reigning)
    entry = reigning
    if decision.passed:
        entry = append_promotion(session.store, name, model.ref, evaluation.ref, decision.evidence)
    version = _project(session, entry) if entry else None
    create_markdown_artifact(
        key="promotion",
        markdown=f"# {name}: {'promoted' if decision.passed else 'not promoted'}\n\n"
        + "\n".join(f"* {reason}" for reason in decision.reasons),
    )
    return Champion(
        model=name,
        promoted=decision.passed,
        reasons=decision.reasons,
        uri=entry.ref.uri if entry else None,
        version=version,
    )


def _project(session: Session, entry: Promotion) -> int:
    """The promotion as a registered version; it says how the rewards that the model was trained with were certified."""
    tags = read_manifest(session.store, entry.ref).provenance.get("tags", {})
    return Registry(session.settings.tracking_uri).set_champion(entry, session.run_id, tags)


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
