"""The promotion log: which artifact became champion of which model, when, by whom and on what evidence.

Layout: ``promotions/<model>/000017.json``, sealed, numbered without gaps, each created only if absent and never changed.
The log is the truth. MLflow's versions and aliases are its projection (``registry.py``), because aliases are
last-write-wins and databases can be lost.
"""

import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from r1flow.components.core.errors import ConfigError, DataError, IntegrityError, PromotionConflict
from r1flow.components.recipe.graph import ADDRESS
from r1flow.components.recipe.section import MODEL_NAME
from r1flow.components.store.artifact import read_manifest, resolve
from r1flow.components.store.manifest import ArtifactRef
from r1flow.components.store.objects import ObjectStore
from r1flow.components.store.runs import stage_of_run
from r1flow.components.store.sealed import seal, unseal

FOLDER = "promotions"


class Promotion(BaseModel):
    """One entry of the log."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int
    model: str
    action: Literal["gate", "human", "rollback"]
    """Who decided: the gate of a recipe, a person, or a person who took the last decision back."""
    ref: ArtifactRef
    version: int
    """The artifact's number among all that were ever promoted; a registry that holds nothing else gives it the same one."""
    evaluation: ArtifactRef
    evidence: dict[str, Any]
    reason: str
    by: str
    at: float
    """Seconds since the epoch."""
    previous: ArtifactRef | None
    """The champion that this entry dethrones."""


def promotions(store: ObjectStore, model: str) -> list[Promotion]:
    """The model's log, oldest first. IntegrityError for a damaged entry and for a number that is missing."""
    keys = store.list(f"{FOLDER}/{model}")
    log = [_read(store, key) for key in keys]
    for number, (entry, key) in enumerate(zip(log, keys, strict=True), start=1):
        if entry.number != number or key != _key(model, number) or entry.model != model:
            raise IntegrityError(
                f"{store.uri}/{key} stands where promotion {number} of {model} belongs; restore what was deleted or moved"
            )
    return log


def promoted_models(store: ObjectStore) -> list[str]:
    """Names of the models that have a log."""
    return sorted({key.split("/")[1] for key in store.list(FOLDER)})


def only_model(store: ObjectStore) -> str:
    """The one model that has a log; DataError where there are several or none."""
    names = promoted_models(store)
    if len(names) != 1:
        raise DataError(f"of which model? Name it; with a champion there are: {', '.join(names) or 'none'}")
    return names[0]


def named_model(store: ObjectStore, text: str) -> ArtifactRef:
    """What a person means by ``champion`` (of the only model), ``champion:MODEL``, or an artifact's name as in ``resolve``."""
    if text != "champion" and not text.startswith("champion:"):
        return resolve(store, text)
    name = text.partition(":")[2] or only_model(store)
    if not (log := promotions(store, name)):
        raise DataError(f"{name} has no champion yet; `r1 run` promotes one when its gate opens")
    return log[-1].ref


def append_promotion(
    store: ObjectStore,
    model: str,
    ref: ArtifactRef,
    evaluation: ArtifactRef,
    evidence: Mapping[str, Any],
    *,
    after: Sequence[Promotion],
    action: Literal["gate", "human", "rollback"] = "gate",
    reason: str = "",
    by: str = "",
) -> Promotion:
    """Write the entry that follows ``after``, the log as it was when the decision was taken; ConfigError for an odd name.

    PromotionConflict when somebody has written that entry meanwhile: what was decided against is no longer there. An
    artifact that already is champion is not entered twice, and two that promote the same one have both done it.
    """
    if not re.match(MODEL_NAME, model):
        raise ConfigError(
            f"{model!r} is no name for a registered model: take out slashes, colons, quotes and a leading dot"
        )
    last = after[-1] if after else None
    number = len(after) + 1
    if last and last.ref.fingerprint == ref.fingerprint and not store.exists(_key(model, number)):
        return last
    entry = Promotion(
        number=number,
        model=model,
        action=action,
        ref=ref,
        version=version_of(after, ref),
        evaluation=evaluation,
        evidence=dict(evidence),
        reason=reason,
        by=by,
        at=time.time(),
        previous=last.ref if last else None,
    )
    raw, _ = seal(entry.model_dump(mode="json"), f"promotion {number} of {model}")
    if store.create(_key(model, number), raw):
        return entry
    winner = promotions(store, model)[-1]
    if winner.ref.fingerprint == ref.fingerprint:
        return winner
    raise PromotionConflict(
        f"{model}: promotion {number} was made by {winner.by or 'somebody else'} just now ({winner.ref.uri} is champion); "
        "compare with that one and promote again"
    )


def version_of(log: Sequence[Promotion], ref: ArtifactRef) -> int:
    """The artifact's version: its own if it was promoted before, else the next one."""
    known: dict[str, int] = {}
    for entry in log:
        known.setdefault(entry.ref.fingerprint, len(known) + 1)
    return known.get(ref.fingerprint, len(known) + 1)


def before_last(log: Sequence[Promotion]) -> Promotion:
    """The promotion that a rollback restores: the last one that neither reigns nor was taken back.

    Rollbacks go further back with every step, they do not alternate. DataError when nothing is left.
    """
    standing: list[Promotion] = []
    for entry in log:
        if entry.action == "rollback":
            standing.pop()
        else:
            standing.append(entry)
    if len(standing) < 2:
        raise DataError("there is no earlier champion to go back to (r1 promote REF names any other model)")
    return standing[-2]


def _read(store: ObjectStore, key: str) -> Promotion:
    where = f"{store.uri}/{key}"
    body, _ = unseal(store.read_bytes(key), where)
    try:
        return Promotion.model_validate(body)
    except ValidationError as error:
        raise IntegrityError(f"{where} is sealed but is no promotion of this version: {error}") from error


def _key(model: str, number: int) -> str:
    return f"{FOLDER}/{model}/{number:06d}.json"


def own_prompt(store: ObjectStore, model: str) -> tuple[str, dict[str, Any]]:
    """A source for ``models.NAME.source``, and the prompt and language that its artifact says it was trained with.

    ``model``: `champion`, `champion:NAME`, an artifact, a stage of the last run, a directory or a hub id; of the last two
    nothing is known.
    """
    named = model == "champion" or model.startswith("champion:") or ADDRESS.fullmatch(model) or "://" in model
    if Path(model).expanduser().is_dir() or not (named or stage_of_run(store, model)):
        return model, {}
    ref = named_model(store, model)
    manifest = read_manifest(store, ref)
    said = {**manifest.provenance, **manifest.config}
    asked = {name: dict(said[name]) for name in ("prompt", "language") if isinstance(said.get(name), dict)}
    if words := manifest.config.get("reflection_words"):  # before 0.2
        asked["language"] = {**asked.get("language", {}), "reflection_words": words}
    return f"{ref.kind}/{ref.fingerprint}", asked
