"""MLflow's model registry as a projection of the promotion log: a version per promoted artifact, and two aliases.

A version's source is the artifact's model folder, which MLflow loads as it is: weights are never copied.
"""

import logging
import time
from collections.abc import Mapping
from typing import Any

from r1flow.components.core.errors import LeaseHeldError, ObjectMissingError, R1Error
from r1flow.components.core.redact import redact
from r1flow.components.store.artifact import read_manifest
from r1flow.components.store.lease import Lease
from r1flow.components.store.manifest import ArtifactRef, Manifest, data_folder
from r1flow.components.store.objects import ObjectStore
from r1flow.components.tracking.client import find_run, open_client
from r1flow.components.tracking.mlmodel import MLMODEL
from r1flow.components.tracking.promotions import Promotion, promotions

CHAMPION = "champion"
PREVIOUS = "previous"
WAIT_S = 120.0

logger = logging.getLogger(__name__)


class Registry:
    """Registered models on one MLflow server."""

    def __init__(self, tracking_uri: str) -> None:
        self.uri = tracking_uri
        self._client: Any = None

    def project(self, store: ObjectStore, model: str) -> int | None:
        """Make the registry show the model's log; the champion's version, None without a log.

        Every promoted artifact gets a version, in the log's order; ``champion`` goes to the last entry's, ``previous`` to the
        one before. One process at a time does so (a lease) and looks again at the end; an alias that somebody sets after a
        long pause is fixed by the next call. Repeating a call changes nothing.
        """
        lease = Lease(store, f"registry-{model}")
        give_up = time.monotonic() + WAIT_S
        while (log := promotions(store, model)) and (version := self._shown(log)) is None:
            try:
                lease.acquire(wait_s=0.5)  # briefly: its holder may be about to do this work too
            except LeaseHeldError:
                if time.monotonic() > give_up:
                    raise
                continue
            with lease:
                self._show(store, log)
            if time.monotonic() > give_up:
                raise R1Error(
                    f"{model}: its aliases are moved by somebody else again and again; `r1 reindex` fixes them"
                )
        return version if log else None

    def _shown(self, log: list[Promotion]) -> int | None:
        """The champion's version where the registry shows all of the log."""
        aliases, versions = self._aliases(log[-1].model, create=False), self._versions(log[-1].model)
        whole = all(entry.ref.fingerprint in versions for entry in log)
        return aliases.get(CHAMPION) if whole and _wanted(log, versions) == _ours(aliases) else None

    def try_project(self, store: ObjectStore, model: str) -> int | None:
        """As ``project``; an MLflow that cannot be reached, or is shown the log by others all the time, is logged: the log
        stands, and the alias follows later."""
        try:
            return self.project(store, model)
        except LeaseHeldError as error:
            logger.warning("%s; `r1 reindex` shows the promotion", error)
            return None
        except R1Error:
            raise
        except Exception as error:  # MLflow raises anything from its own to sqlalchemy's; the log is the truth
            where, why = redact(self.uri), redact(str(error))
            logger.warning("MLflow at %s does not show the promotion yet (%s); `r1 reindex` fixes it", where, why)
            return None

    def differences(self, store: ObjectStore, model: str) -> list[str]:
        """In words, where aliases and log disagree; nothing is changed."""
        log = promotions(store, model)
        if not log:
            return []
        aliases, versions = self._aliases(model, create=False), self._versions(model)
        wanted = _wanted(log, versions)
        return [
            f"{model}: alias {alias} is {aliases.get(alias, 'missing')}, the log says {wanted.get(alias, 'unregistered')}"
            for alias in (CHAMPION, PREVIOUS)
            if aliases.get(alias) != wanted.get(alias)
        ]

    def _show(self, store: ObjectStore, log: list[Promotion]) -> None:
        model = log[-1].model
        aliases, versions = self._aliases(model, create=True), self._versions(model)
        for entry in log:
            if entry.ref.fingerprint not in versions:
                versions[entry.ref.fingerprint] = self._register(store, entry)
        wanted = _wanted(log, versions)
        for alias, version in sorted(wanted.items(), reverse=True):  # previous first: champion is what people act on
            if aliases.get(alias) != version:
                self._mlflow().set_registered_model_alias(model, alias, str(version))
        if PREVIOUS in aliases and PREVIOUS not in wanted:
            self._mlflow().delete_registered_model_alias(model, PREVIOUS)

    def _aliases(self, model: str, *, create: bool) -> dict[str, int]:
        """The model's aliases; with ``create`` the registered model is made where there is none."""
        from mlflow.exceptions import MlflowException

        for last_try in (not create, True):
            try:
                found = self._mlflow().get_registered_model(model).aliases
                return {alias: int(version) for alias, version in found.items()}
            except MlflowException as error:
                if error.error_code != "RESOURCE_DOES_NOT_EXIST" or (last_try and create):
                    raise
                if last_try:
                    return {}
            try:
                self._mlflow().create_registered_model(model)
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":  # somebody else was quicker
                    raise
        return {}

    def _versions(self, model: str) -> dict[str, int]:
        """The first version that was registered for each artifact, by fingerprint."""
        versions: dict[str, int] = {}
        found = self._mlflow().search_model_versions(f"name = '{model}'")
        for number, tags in sorted((int(v.version), v.tags) for v in found):
            if "r1.fingerprint" in tags:
                versions.setdefault(tags["r1.fingerprint"], number)
        return versions

    def _register(self, store: ObjectStore, entry: Promotion) -> int:
        manifest = _manifest(store, entry.ref)
        provenance = manifest.provenance if manifest else {}
        created = self._mlflow().create_model_version(
            entry.model,
            source=_source(store, entry.ref, manifest),
            run_id=find_run(self._mlflow(), f"{provenance.get('run')}/{provenance.get('stage')}"),
            tags={
                **provenance.get("tags", {}),
                "r1.fingerprint": entry.ref.fingerprint,
                "r1.manifest_sha256": entry.ref.manifest_sha256,
                "r1.promotion": str(entry.number),
                "r1.promoted_by": entry.by,
                "r1.decided_by": entry.action,
                **({"r1.reason": entry.reason} if entry.reason else {}),
                **{f"gate.{key}": str(value) for key, value in entry.evidence.items()},
            },
        )
        return int(created.version)

    def _mlflow(self) -> Any:
        if self._client is None:
            self._client = open_client(self.uri)
        return self._client


def _ours(aliases: Mapping[str, int]) -> dict[str, int]:
    return {alias: version for alias, version in aliases.items() if alias in (CHAMPION, PREVIOUS)}


def _wanted(log: list[Promotion], versions: Mapping[str, int]) -> dict[str, int]:
    last = log[-1]
    named = {CHAMPION: last.ref, **({PREVIOUS: last.previous} if last.previous else {})}
    return {alias: versions[ref.fingerprint] for alias, ref in named.items() if ref.fingerprint in versions}


def _source(store: ObjectStore, ref: ArtifactRef, manifest: Manifest | None) -> str:
    """The folder that MLflow can load; of an artifact without one (it is older, or gone) its address."""
    if manifest is None or all(entry.path != f"model/{MLMODEL}" for entry in manifest.files):
        return ref.uri
    return f"{store.uri}/{data_folder(manifest)}/model"


def _manifest(store: ObjectStore, ref: ArtifactRef) -> Manifest | None:
    try:
        return read_manifest(store, ref)
    except ObjectMissingError:  # deleted by hand: its version still belongs into the registry
        return None
