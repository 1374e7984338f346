"""The artifacts of a store, for lineage."""

from pathlib import Path

from r1flow.components.core.errors import DataError
from r1flow.components.evals.lake.made import Made, made_of
from r1flow.components.evals.lake.tables import local_file
from r1flow.components.store.artifact import all_artifacts
from r1flow.components.store.manifest import Manifest
from r1flow.components.store.objects import ObjectStore


class StoreShelf:
    """All artifacts of a store by fingerprint; files are fetched one by one."""

    def __init__(self, store: ObjectStore, cache: Path) -> None:
        self._store, self._cache = store, cache
        self._manifests = {ref.fingerprint: manifest for ref, manifest in all_artifacts(store)}

    def made(self, fingerprint: str) -> Made:
        manifest = self._known(fingerprint)
        return made_of(manifest, str(manifest.provenance.get("stage", manifest.kind)))

    def file(self, fingerprint: str, path: str) -> Path:
        manifest = self._known(fingerprint)
        entry = next((entry for entry in manifest.files if entry.path == path), None)
        if entry is None:
            raise DataError(f"{manifest.kind}/{fingerprint[:12]} holds no {path}")
        return local_file(self._store, manifest, entry, self._cache)

    def _known(self, fingerprint: str) -> Manifest:
        if fingerprint not in self._manifests:
            raise DataError(
                f"an artifact that this one was made from is gone: {fingerprint[:12]}; restore it, or run its stage again"
            )
        return self._manifests[fingerprint]
