"""What every model of the store has answered to every problem."""

from r1flow.components.core.errors import ConfigError
from r1flow.components.recipe.kinds import IMPLIED, LAKES
from r1flow.components.recipe.run import LedgerConfig
from r1flow.components.store.artifact import all_artifacts
from r1flow.components.store.manifest import ArtifactRef
from r1flow.tasks.session import StageOutcome, current_session
from r1flow.tasks.stage import compute
from r1flow.tasks.work import Work

LAKE, TRAIN = "lake", "train.jsonl"


def keep_ledger(settings: LedgerConfig) -> StageOutcome:
    """The ledger over all lakes. Of lakes and datasets only what is read is fetched."""
    session = current_session()
    inputs: dict[str, ArtifactRef] = {}
    lakes: dict[str, dict[str, str]] = {}
    for ref, manifest in all_artifacts(session.store):
        dataset = manifest.inputs.get("data") or manifest.inputs.get("dataset")  # before 0.2
        if ref.kind not in LAKES or dataset is None:
            continue
        lake, rows = _name(ref), _name(dataset)
        inputs |= {lake: ref, rows: dataset}
        lakes[lake] = {"artifact": lake, "dataset": rows, "stage": str(manifest.provenance.get("stage", ref.kind))}
    if not lakes:
        raise ConfigError(f"{session.store.uri} holds no lake of completions yet; an RL stage leaves one (r1 run tiny)")
    parts = {name: LAKE if name in lakes else TRAIN for name in inputs}
    config = {"ledger": settings.model_dump(mode="json"), "lakes": lakes}
    place = session.place.beside(session.recipe)
    return compute(Work("ledger", IMPLIED["ledger"], config, inputs=inputs, place=place, parts=parts))


def _name(ref: ArtifactRef) -> str:
    return f"{ref.kind}/{ref.fingerprint[:16]}"
