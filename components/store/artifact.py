"""Write-once results of stages: a directory of files under a fingerprint, whole from the moment its manifest appears.

Layout: ``artifacts/<kind>/<fingerprint[:16]>/data/<content[:16]>/...`` and, written last and only if absent,
``artifacts/<kind>/<fingerprint[:16]>/MANIFEST.json``. The folder below ``data`` is named by the digest of the files, so
that two publishers with different bytes (one of them paused and presumed dead, on a GPU that is not deterministic)
never write over each other; the manifest decides which of them is the artifact.
"""

import logging
import os
import re
import shutil
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from r1flow.components.core.errors import DataError, IntegrityError, ObjectMissingError, StoreError, StoreUnavailable
from r1flow.components.store.failures import require_document
from r1flow.components.store.files import (
    FileEntry,
    check_stored,
    download,
    scan,
    upload,
    verify_directory,
    verify_stored,
)
from r1flow.components.store.manifest import MANIFEST, ArtifactRef, Manifest, data_folder, manifest_key, read_at, ref_to
from r1flow.components.store.objects import ObjectStore
from r1flow.components.store.runs import stage_of_run
from r1flow.components.store.sealed import seal

__all__ = [
    "ArtifactRef",
    "FileEntry",
    "Manifest",
    "all_artifacts",
    "check",
    "find",
    "materialize",
    "publish",
    "read_manifest",
    "resolve",
    "verify",
    "verify_all",
]

_log = logging.getLogger(__name__)


def publish(
    store: ObjectStore,
    directory: Path,
    *,
    kind: str,
    fingerprint: str,
    version: str,
    config: Mapping[str, Any],
    inputs: Mapping[str, ArtifactRef],
    seed: int,
    metrics: Mapping[str, float | int | str | None],
    provenance: Mapping[str, Any],
) -> ArtifactRef:
    """Make ``directory`` the artifact of ``fingerprint``: hash, upload in parallel, then create the manifest.

    Files that lie there whole are left out, so a repeated publish goes on where the last one ended, and fixes damaged
    files. When another publisher was first with the same files, its artifact is adopted; with other files,
    IntegrityError. ConfigError for a value that JSON cannot hold (a NaN metric: give None), before anything is written.
    """
    snapshot = scan(directory)
    try:
        manifest = Manifest(
            kind=kind,
            fingerprint=fingerprint,
            version=version,
            config=dict(config),
            inputs=dict(inputs),
            seed=seed,
            metrics=dict(metrics),
            files=snapshot.files,
            provenance=dict(provenance),
        )
    except ValidationError as error:
        raise StoreError(f"{directory} cannot be published as {kind}/{fingerprint[:16]}: {error}") from error
    raw, digest = seal(manifest.model_dump(), "manifest")
    require_document(f"the manifest of {directory}", len(raw))
    upload(store, snapshot, data_folder(manifest))
    if store.create(manifest_key(kind, fingerprint), raw):
        return ref_to(store, manifest, digest)
    return _adopt(store, manifest)


def find(store: ObjectStore, kind: str, fingerprint: str) -> ArtifactRef | None:
    """The published artifact of this fingerprint, or None. Its manifest is proved, its files are not (see check and verify)."""
    try:
        manifest, digest = read_at(store, manifest_key(kind, fingerprint))
    except ObjectMissingError:
        return None
    if manifest.fingerprint != fingerprint:
        raise IntegrityError(
            f"{store.uri}/{manifest_key(kind, fingerprint)} belongs to fingerprint {manifest.fingerprint}, "
            f"not to {fingerprint}; move that artifact away"
        )
    return ref_to(store, manifest, digest)


def read_manifest(store: ObjectStore, ref: ArtifactRef) -> Manifest:
    """The manifest that ``ref`` promises; IntegrityError when what lies there is another one or damaged."""
    return read_at(store, manifest_key(ref.kind, ref.fingerprint), ref.manifest_sha256)[0]


def check(store: ObjectStore, ref: ArtifactRef) -> Manifest:
    """That exactly the artifact's files lie there, with their sizes: enough for a stage that is reused and not read.

    IntegrityError names the first that is missing, too much or of another size. What else may have become of their bytes is
    found before they are used (materialize), or when somebody asks (verify).
    """
    manifest = read_manifest(store, ref)
    check_stored(store, data_folder(manifest), manifest.files)
    return manifest


def verify(store: ObjectStore, ref: ArtifactRef) -> Manifest:
    """Read every byte of the artifact. IntegrityError names the first file that differs, is missing or is too much."""
    manifest = read_manifest(store, ref)
    verify_stored(store, data_folder(manifest), manifest.files)
    return manifest


def materialize(store: ObjectStore, ref: ArtifactRef, cache: Path, part: str = "") -> Path:
    """A local directory with the artifact's files, every byte verified now. Read from it; never write into it.

    A local store's own data directory, or ``cache/<kind>/<fingerprint[:16]>``, downloaded under another name and
    renamed once it is whole. A damaged copy in the cache is replaced. With ``part``, a file or a folder of the artifact, that
    alone is fetched and verified, beside copies of the whole; StoreError where the artifact has nothing so named.
    """
    manifest = read_manifest(store, ref)
    files = [entry for entry in manifest.files if not part or f"{entry.path}/".startswith(f"{part}/")]
    if not files:
        raise StoreError(f"{ref.uri} has no {part!r}; its files: {', '.join(e.path for e in manifest.files[:10])}")
    own = store.local_path(data_folder(manifest))
    if own is not None:
        verify_stored(store, data_folder(manifest), files, part)
        return own
    target = cache / ref.kind / (ref.fingerprint[:16] + (f"-{part.replace('/', '-')}" if part else ""))
    if target.exists() or target.is_symlink():
        try:
            if target.is_symlink():  # what it points to may change under whoever reads it
                raise StoreError(f"{target} is a symlink")
            verify_directory(target, files)
            return target
        except StoreError as error:  # the store still has the true bytes
            _log.warning("%s is fetched again: %s", target, error)
            _remove(target)
    temporary = target.with_name(f".{target.name}-{uuid.uuid4().hex}")
    try:
        download(store, data_folder(manifest), files, temporary)
        try:
            os.rename(temporary, target)
        except OSError:
            if not target.is_dir():
                raise
            verify_directory(target, files)  # another process was first
    finally:
        shutil.rmtree(temporary, ignore_errors=True)  # gone already when the rename went well
    return target


def all_artifacts(store: ObjectStore) -> list[tuple[ArtifactRef, Manifest]]:
    """Every published artifact, by kind and fingerprint. IntegrityError at the first damaged manifest."""
    read = (read_at(store, key) for key in _manifest_keys(store))
    return [(ref_to(store, manifest, digest), manifest) for manifest, digest in read]


def verify_all(store: ObjectStore, kind: str | None = None) -> Iterator[tuple[str, StoreError | None]]:
    """Every byte of every published artifact, or of a kind's: name by name (``kind/digits``) what is wrong first, or None.

    A damaged manifest is one artifact's; StoreUnavailable ends it. DataError for a kind that has no artifact here.
    """
    keys = _manifest_keys(store)
    chosen = [key for key in keys if kind in (None, key.split("/")[1])]
    if kind is not None and not chosen:
        kinds = ", ".join(sorted({key.split("/")[1] for key in keys})) or "none"
        raise DataError(f"{store.uri} holds no artifact of kind {kind!r}; there are {kinds}")
    for key in chosen:
        name = "/".join(key.split("/")[1:3])
        try:
            manifest, _ = read_at(store, key)
            verify_stored(store, data_folder(manifest), manifest.files)
        except StoreUnavailable:
            raise
        except StoreError as error:
            yield name, error
        else:
            yield name, None


def resolve(store: ObjectStore, text: str) -> ArtifactRef:
    """The one artifact that a person means by ``kind/prefix``, a fingerprint's first four or more digits, a URI, or the name of a
    stage: of the last run that has one, or ``RUN:stage`` of that run.

    DataError lists the candidates when there is none or more than one.
    """
    wanted = text.strip().rstrip("/").removeprefix(f"{store.uri}/artifacts/")
    kind, _, prefix = wanted.rpartition("/")
    if (named := stage_of_run(store, wanted)) is not None:
        return named
    if not re.fullmatch(r"[0-9a-f]{4,64}", prefix):
        raise DataError(
            f"{text!r} names no artifact; give kind/fingerprint, a fingerprint's first 4 or more digits, a URI, or the name of a "
            "stage that a run has ended with"
        )
    keys = _manifest_keys(store)
    near = [key for key in keys if _matches(key, kind, prefix[:16])]
    found = [ref for ref in (ref_to(store, *read_at(store, key)) for key in near) if ref.fingerprint.startswith(prefix)]
    if len(found) == 1:
        return found[0]
    names = ["/".join(key.split("/")[1:3]) for key in (near if found else keys)]
    shown = ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
    problem = "stands for more than one artifact" if found else "names no artifact here"
    raise DataError(f"{text!r} {problem}; {'give more digits of one of' if found else 'there are'}: {shown or 'none'}")


def _manifest_keys(store: ObjectStore) -> list[str]:
    return [key for key in store.list("artifacts") if key.count("/") == 3 and key.endswith(f"/{MANIFEST}")]


def _matches(key: str, kind: str, prefix: str) -> bool:
    _, key_kind, digits, _ = key.split("/")
    return kind in {"", key_kind} and digits.startswith(prefix)


def _adopt(store: ObjectStore, ours: Manifest) -> ArtifactRef:
    key = manifest_key(ours.kind, ours.fingerprint)
    theirs, digest = read_at(store, key)
    if theirs.fingerprint != ours.fingerprint or theirs.content_sha256 != ours.content_sha256:
        raise IntegrityError(
            f"{store.uri}/{key} was published before with other files: content sha256 there {theirs.content_sha256}, "
            f"here {ours.content_sha256}; the stage is not deterministic: use the published artifact"
        )
    return ref_to(store, theirs, digest)


def _remove(folder: Path) -> None:
    """Out of the way in one step, so that nobody sees half of it; then deleted. What a symlink points to stays."""
    if folder.is_symlink():
        folder.unlink()
        return
    aside = folder.with_name(f".{folder.name}-{uuid.uuid4().hex}")
    os.rename(folder, aside)
    shutil.rmtree(aside)
