"""What an artifact is, as written in its MANIFEST.json, and where in a store it lies."""

import re
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from r1flow.components.core.errors import IntegrityError, StoreError
from r1flow.components.store.files import FileEntry, content_sha256
from r1flow.components.store.objects import ObjectStore
from r1flow.components.store.sealed import unseal

HEX64 = r"^[0-9a-f]{64}$"
KIND = r"^[a-z0-9][a-z0-9_-]{0,63}$"
MANIFEST = "MANIFEST.json"


class ArtifactRef(BaseModel):
    """All that passes between tasks: which artifact, where, and the digest of its manifest."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str = Field(pattern=KIND)
    fingerprint: str = Field(pattern=HEX64)
    uri: str
    manifest_sha256: str = Field(pattern=HEX64)

    @property
    def short(self) -> str:
        """Its name for people: kind and the first digits of its fingerprint."""
        return f"{self.kind}/{self.fingerprint[:12]}"


class Manifest(BaseModel):
    """What an artifact is and where it comes from. ``provenance`` (times, host, versions, commit) names no content."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str = Field(pattern=KIND)
    fingerprint: str = Field(pattern=HEX64)
    version: str
    config: dict[str, Any]
    inputs: dict[str, ArtifactRef]
    seed: int
    metrics: dict[str, float | int | str | None]
    files: list[FileEntry] = Field(min_length=1)
    provenance: dict[str, Any]

    @property
    def content_sha256(self) -> str:
        """Digest over the files alone: names, sizes, bytes."""
        return content_sha256(self.files)


def folder_of(kind: str, fingerprint: str) -> str:
    """Key of the artifact's folder; StoreError for what cannot be a kind or a fingerprint."""
    if not re.fullmatch(KIND, kind) or not re.fullmatch(HEX64, fingerprint):
        raise StoreError(
            f"{kind!r} with fingerprint {fingerprint!r} names no artifact: a kind is [a-z0-9_-], and 64 hex digits"
        )
    return f"artifacts/{kind}/{fingerprint[:16]}"


def manifest_key(kind: str, fingerprint: str) -> str:
    return f"{folder_of(kind, fingerprint)}/{MANIFEST}"


def data_folder(manifest: Manifest) -> str:
    """Key of the folder with the artifact's files."""
    return f"{folder_of(manifest.kind, manifest.fingerprint)}/data/{manifest.content_sha256[:16]}"


def read_at(store: ObjectStore, key: str, expected: str | None = None) -> tuple[Manifest, str]:
    """The proved manifest at ``key`` and its digest; ObjectMissingError, or IntegrityError if it is not as it says."""
    where = f"{store.uri}/{key}"
    body, digest = unseal(store.read_bytes(key), where, expected)
    try:
        manifest = Manifest.model_validate(body)
    except (ValidationError, StoreError) as error:  # a StoreError: an unsafe path
        reason = str(error)[:2000]  # thousands of entries may be wrong
        raise IntegrityError(f"{where} is sealed but is no manifest of this version: {reason}") from error
    if not _is_directory([entry.path for entry in manifest.files]):
        raise IntegrityError(f"{where} names a file twice, or as a folder too; delete it and run its stage again")
    if manifest_key(manifest.kind, manifest.fingerprint) != key:
        raise IntegrityError(f"{where} belongs to another artifact; delete it and run its stage again")
    return manifest, digest


def _is_directory(paths: list[str]) -> bool:
    """Whether one directory can hold all these files."""
    files = set(paths)
    folders = {path[:at] for path in paths for at, letter in enumerate(path) if letter == "/"}
    return len(files) == len(paths) and files.isdisjoint(folders)


def ref_to(store: ObjectStore, manifest: Manifest, digest: str) -> ArtifactRef:
    """The reference that other stages get."""
    return ArtifactRef(
        kind=manifest.kind,
        fingerprint=manifest.fingerprint,
        uri=f"{store.uri}/{folder_of(manifest.kind, manifest.fingerprint)}",
        manifest_sha256=digest,
    )
