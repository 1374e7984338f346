"""Start models that are artifacts already."""

from r1flow.components.core.errors import ModelError
from r1flow.components.recipe.kinds import MODELS
from r1flow.components.store.artifact import read_manifest, resolve
from r1flow.tasks.session import StageOutcome, current_session


def stored_model(name: str, address: str) -> StageOutcome:
    """The start model ``name`` that is an artifact already. ModelError where the artifact at ``address`` holds no model."""
    outcome = stored_artifact(address).model_copy(update={"name": name})
    if outcome.ref.kind not in MODELS:
        raise ModelError(f"models.{name}.source: {address} holds no model; name a {', '.join(MODELS)} artifact (r1 ls)")
    current_session().done[name] = outcome
    return outcome


def stored_artifact(address: str) -> StageOutcome:
    """The artifact at ``address``, which a stage names in place of another; DataError where there is none."""
    store = current_session().store
    ref = resolve(store, address)
    return StageOutcome(name=address, ref=ref, reused=True, seconds=0.0, metrics=read_manifest(store, ref).metrics)
