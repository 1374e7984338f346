"""Which Parquet files of a store belong to which table, and what their artifacts say about them.

``rollouts`` are the lakes of RL stages, ``evaluations`` the answers of evaluations, ``rescored`` the verdicts of
``r1 rescore``, ``aha`` and ``aha_words`` what reports have counted in the lakes. Every row of a file gets its artifact's
facts as columns.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from r1flow.components.core.errors import IntegrityError
from r1flow.components.evals.lake.generations import inputs_of
from r1flow.components.store.artifact import all_artifacts
from r1flow.components.store.files import FileEntry
from r1flow.components.store.manifest import ArtifactRef, Manifest, data_folder
from r1flow.components.store.objects import ObjectStore

SHARD = re.compile(r"lake/steps-\d+-\d+\.parquet")
ANSWERS = re.compile(r"([^/]+)\.parquet")
RESCORED = "rescored.parquet"
COUNTED = {"aha.parquet": "aha", "aha_words.parquet": "aha_words"}


@dataclass(frozen=True)
class Source:
    """One Parquet file of a table, on this machine, and the columns that hold for all its rows."""

    table: str
    path: Path
    facts: tuple[tuple[str, str | None], ...]


def sources(store: ObjectStore, cache: Path) -> list[Source]:
    """All files of all tables, in the order of their artifacts; what lies on a remote store is fetched once."""
    found = []
    for ref, manifest in all_artifacts(store):
        for entry in manifest.files:
            described = _described(ref, manifest, entry.path)
            if described is not None:
                found.append(Source(described[0], local_file(store, manifest, entry, cache), described[1]))
    return found


def _described(
    ref: ArtifactRef, manifest: Manifest, path: str
) -> tuple[str, tuple[tuple[str, str | None], ...]] | None:
    """The table that a file belongs to and its facts; None for a file of no table."""

    def given(role: str) -> str | None:
        source = inputs_of(manifest).get(role)
        return None if source is None else source.short

    common = {name: str(manifest.provenance.get(name, "")) for name in ("run", "stage")}
    facts: dict[str, str | None] = {"artifact": ref.short, **common}
    if SHARD.fullmatch(path):
        return "rollouts", tuple((facts | {"policy": given("model"), "dataset": given("data")}).items())
    if manifest.kind == "evaluation" and (suite := ANSWERS.fullmatch(path)):
        return "evaluations", tuple((facts | {"model": given("model"), "suite": suite[1]}).items())
    if manifest.kind == "rescore" and path == RESCORED:
        return "rescored", (("rescore", ref.short), ("verifier", str(manifest.config["verifier"])[:12]))
    if manifest.kind == "report" and path in COUNTED:
        return COUNTED[path], (("report", ref.short), ("run", common["run"]))
    return None


def local_file(store: ObjectStore, manifest: Manifest, entry: FileEntry, cache: Path) -> Path:
    """One file of an artifact where it lies, or fetched into the cache and verified then. IntegrityError for other bytes.

    A local store's own file is held against its size alone: to hash a whole lake takes longer than most questions to it.
    """
    key = f"{data_folder(manifest)}/{entry.path}"
    own = store.local_path(key)
    path = own or cache / "lake" / manifest.kind / manifest.fingerprint[:16] / entry.path
    _fetch(path, lambda: None if own else store.get_file(key, path))
    if path.stat().st_size != entry.size or (own is None and _digest(path) != entry.sha256):
        raise IntegrityError(
            f"{path} is not what {store.uri}/{key} was published as; delete it, or restore it from a copy"
        )
    return path


def _fetch(path: Path, get: Callable[[], None]) -> None:
    if not path.is_file():
        get()
    if not path.is_file():
        raise IntegrityError(f"{path} is missing although its artifact is published; restore it from a copy")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
