"""The model registry and the promotion log.

The log on the object store is the truth (append-only, create-if-absent); MLflow's alias is its projection, because
aliases are last-write-wins and databases can be lost. A model version's source is the artifact's URI: weights are never
copied.
"""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from components.errors import StoreError
from components.store.manifest import ArtifactRef
from components.store.objects import ObjectStore
from components.tracking.client import open_client

CHAMPION = "champion"
PREVIOUS = "previous"


class Promotion(BaseModel):
    """One entry of the log: which artifact became champion of which model, on what evidence."""

    model_config = ConfigDict(frozen=True)

    number: int
    model: str
    ref: ArtifactRef
    evaluation: ArtifactRef
    evidence: dict[str, Any]


class Registry:
    """Registered models on one MLflow server."""

    def __init__(self, tracking_uri: str) -> None:
        self.uri = tracking_uri
        self._client: Any = None

    def set_champion(self, promotion: Promotion, run_id: str, tags: Mapping[str, str]) -> int:
        """Make sure a version for this promotion exists and the alias points to it; the version number.

        ``tags`` are added to the version's own. The alias ``previous`` goes to the version that ``champion`` leaves.
        Repeating a call changes nothing.
        """
        model, aliases = promotion.model, self._aliases(promotion.model)
        version = self._version(promotion) or self._register(promotion, run_id, tags)
        former = aliases.get(CHAMPION)
        if former is not None and former != version:
            self._mlflow().set_registered_model_alias(model, PREVIOUS, str(former))
        if former != version:
            self._mlflow().set_registered_model_alias(model, CHAMPION, str(version))
        return version

    def _aliases(self, model: str) -> dict[str, int]:
        """The model's aliases; the registered model is created where there is none."""
        from mlflow.exceptions import MlflowException

        try:
            return _numbered(self._mlflow().get_registered_model(model).aliases)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
        try:
            self._mlflow().create_registered_model(model)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":  # somebody else was quicker
                raise
        return _numbered(self._mlflow().get_registered_model(model).aliases)

    def _version(self, promotion: Promotion) -> int | None:
        """The first version that was registered for the promoted artifact."""
        found = self._mlflow().search_model_versions(f"name = '{promotion.model}'")
        known = [int(v.version) for v in found if v.tags.get("r1.fingerprint") == promotion.ref.fingerprint]
        return min(known, default=None)

    def _register(self, promotion: Promotion, run_id: str, tags: Mapping[str, str]) -> int:
        created = self._mlflow().create_model_version(
            promotion.model,
            source=promotion.ref.uri,
            run_id=run_id or None,
            tags={
                **tags,
                "r1.fingerprint": promotion.ref.fingerprint,
                "r1.manifest_sha256": promotion.ref.manifest_sha256,
                "r1.promotion": str(promotion.number),
                **{f"gate.{key}": str(value) for key, value in promotion.evidence.items()},
            },
        )
        return int(created.version)

    def _mlflow(self) -> Any:
        if self._client is None:
            self._client = open_client(self.uri)
        return self._client


def _numbered(aliases: Mapping[str, str]) -> dict[str, int]:
    return {alias: int(version) for alias, version in aliases.items()}


def promotions(store: ObjectStore, model: str) -> list[Promotion]:
    """The model's log, oldest first."""
    keys = sorted(store.list(f"promotions/{model}"))
    return [Promotion.model_validate_json(store.read_bytes(key)) for key in keys]


def append_promotion(
    store: ObjectStore, model: str, ref: ArtifactRef, evaluation: ArtifactRef, evidence: Mapping[str, Any]
) -> Promotion:
    """Append to the log; a model that already is champion is not entered twice. StoreError if somebody was quicker."""
    log = promotions(store, model)
    if log and log[-1].ref.fingerprint == ref.fingerprint:
        return log[-1]
    number = log[-1].number + 1 if log else 1
    entry = Promotion(number=number, model=model, ref=ref, evaluation=evaluation, evidence=dict(evidence))
    data = json.dumps(entry.model_dump(mode="json"), indent=1).encode()
    if not store.create(f"promotions/{model}/{number:06d}.json", data):
        raise StoreError(f"{model}: promotion {number} was made by somebody else just now; look at it and decide again")
    return entry
