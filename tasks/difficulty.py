"""Stages that say how hard problems are: the ledger over all lakes, and what a start model solves."""

from r1flow.components.core.errors import ConfigError
from r1flow.components.recipe.recipe import Recipe
from r1flow.components.recipe.stages import GrpoConfig
from r1flow.components.store.artifact import all_artifacts, resolve
from r1flow.components.store.manifest import ArtifactRef
from r1flow.tasks.session import current_session
from r1flow.tasks.stage import Work, stage

LAKE, TRAIN = "lake", "train.jsonl"


@stage("ledger", version="1")
def keep_ledger(recipe: Recipe, name: str = "ledger") -> Work:
    """What every model of the store has answered to every problem. Of lakes and datasets only what is read is fetched."""
    store = current_session().store
    inputs: dict[str, ArtifactRef] = {}
    lakes: dict[str, dict[str, str]] = {}
    for ref, manifest in all_artifacts(store):
        dataset = manifest.inputs.get("dataset")
        if dataset is None or not any(entry.path.startswith(f"{LAKE}/") for entry in manifest.files):
            continue
        lake, rows = _name(ref), _name(dataset)
        inputs |= {lake: ref, rows: dataset}
        lakes[lake] = {"artifact": lake, "dataset": rows, "stage": str(manifest.provenance.get("stage", ref.kind))}
    if not lakes:
        raise ConfigError(f"{store.uri} holds no lake of completions yet; an RL stage leaves one (r1 run tiny)")
    parts = {name: LAKE if name in lakes else TRAIN for name in inputs}
    config = {"ledger": recipe.ledger.model_dump(mode="json"), "lakes": lakes}
    return Work(name, "ledger", recipe, config, inputs, parts=parts)


@stage("difficulty", version="1")
def rate_problems(recipe: Recipe, name: str, settings: GrpoConfig, policy: ArtifactRef, dataset: ArtifactRef) -> Work:
    """How often the model that RL starts from solves each training problem."""
    rate = {
        "samples": settings.difficulty.samples if settings.difficulty else 1,
        "skills": sorted(skill for skill, share in settings.mixture.items() if share),
        "max_tokens": settings.max_tokens,
        "temperature": settings.temperature,
    }
    return Work(name, "rate", recipe, {"rate": rate}, {"policy": policy, "dataset": dataset})


def difficulty_of(
    recipe: Recipe, name: str, settings: GrpoConfig, policy: ArtifactRef, dataset: ArtifactRef
) -> ArtifactRef | None:
    """What stage ``name`` is to choose its problems by: a ledger, or its start model's own rates; None where it takes all."""
    if settings.difficulty is None:
        return None
    if settings.difficulty.ledger:
        return resolve(current_session().store, settings.difficulty.ledger)
    return rate_problems(recipe, f"{name}/difficulty", settings, policy, dataset).ref


def _name(ref: ArtifactRef) -> str:
    return f"{ref.kind}/{ref.fingerprint[:16]}"
