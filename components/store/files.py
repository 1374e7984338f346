"""Directories as lists of (path, size, sha256), and their way into a store and back, every byte checked."""

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISDIR, S_ISREG

from pydantic import BaseModel, ConfigDict, Field, field_validator

from r1flow.components.core.errors import IntegrityError, ObjectMissingError, StoreError
from r1flow.components.store.failures import explaining
from r1flow.components.store.fingerprint import canonical_json
from r1flow.components.store.keys import safe_key
from r1flow.components.store.objects import ObjectStore

WORKERS = 4


class FileEntry(BaseModel):
    """One file: posix path relative to its directory, size in bytes, sha256 in hex."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    size: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")

    @field_validator("path")
    @classmethod
    def _stays_inside(cls, path: str) -> str:
        return safe_key(path)


def content_sha256(files: Iterable[FileEntry]) -> str:
    """Digest of names, sizes and bytes of the files, whatever their order."""
    listing = sorted((file.path, file.size, file.sha256) for file in files)
    return hashlib.sha256(canonical_json(listing, "files").encode()).hexdigest()


@dataclass(frozen=True)
class Snapshot:
    """A directory as it was when it was hashed: its files sorted by path, and (size, mtime in ns) of each."""

    directory: Path
    files: list[FileEntry]
    stamps: dict[str, tuple[int, int]]

    def require_unchanged(self) -> None:
        """StoreError if a file came, went or changed since."""
        now = _stamps(self.directory)
        changed = [path for path in now.keys() | self.stamps.keys() if now.get(path) != self.stamps.get(path)]
        if changed:
            raise StoreError(f"{self.directory / min(changed)} changes while it is read; let its writer finish first")


def scan(directory: Path) -> Snapshot:
    """Every file below ``directory``, hashed.

    StoreError for a symlink, a special file, an empty directory, a name that is no safe key, and for a file that
    changes meanwhile.
    """
    stamps = _stamps(directory)
    files = [FileEntry(path=path, size=stamps[path][0], sha256=_hash(directory / path)) for path in sorted(stamps)]
    snapshot = Snapshot(directory, files, stamps)
    snapshot.require_unchanged()
    return snapshot


def upload(store: ObjectStore, snapshot: Snapshot, prefix: str) -> None:
    """Copy the files below ``prefix``, several at a time, leaving out those that lie there whole.

    On return every file is in the store with its size, and the directory is still what was hashed; else StoreError.
    """

    def put(entry: FileEntry) -> None:
        key = f"{prefix}/{entry.path}"
        if not _lies_there(store, key, entry):
            store.put_file(snapshot.directory / entry.path, key)
            if store.size(key) != entry.size:
                raise StoreError(f"{store.uri}/{key} has {store.size(key)} bytes after its upload, not {entry.size}")

    _each(put, snapshot.files)
    snapshot.require_unchanged()


def download(store: ObjectStore, prefix: str, entries: Sequence[FileEntry], into: Path) -> None:
    """Copy the files into the directory ``into`` and check each one; IntegrityError names the first that differs."""

    def get(entry: FileEntry) -> None:
        key, path = f"{prefix}/{entry.path}", into / entry.path
        try:
            _require_size(
                f"{store.uri}/{key}", entry, store.size(key)
            )  # first: nobody fills the disk with a wrong object
            store.get_file(key, path)
        except ObjectMissingError as error:
            raise _missing(store, key, entry) from error
        _require(f"{store.uri}/{key}", entry, _hash(path))

    _each(get, entries)


def check_stored(store: ObjectStore, prefix: str, entries: Sequence[FileEntry], part: str = "") -> None:
    """IntegrityError unless exactly these files lie below ``prefix``, in its folder ``part`` or all of it, with their sizes.

    One listing; no file is read.
    """
    sizes = store.sizes(prefix)
    expected = {f"{prefix}/{entry.path}" for entry in entries}
    below = f"{prefix}/{part}/" if part else f"{prefix}/"
    extra = sorted({key for key in sizes if key.startswith(below)} - expected)
    if extra:
        raise IntegrityError(f"{store.uri}/{extra[0]} is not in the manifest; delete it")
    for entry in entries:
        key = f"{prefix}/{entry.path}"
        if key not in sizes:
            raise _missing(store, key, entry)
        _require_size(f"{store.uri}/{key}", entry, sizes[key])


def verify_stored(store: ObjectStore, prefix: str, entries: Sequence[FileEntry], part: str = "") -> None:
    """As :func:`check_stored`, and IntegrityError unless they are these files byte for byte."""
    check_stored(store, prefix, entries, part)

    def read(entry: FileEntry) -> None:
        key = f"{prefix}/{entry.path}"
        try:
            digest = store.sha256(key)
        except ObjectMissingError as error:
            raise _missing(store, key, entry) from error
        _require(f"{store.uri}/{key}", entry, digest)

    _each(read, entries)


def verify_directory(directory: Path, entries: Sequence[FileEntry]) -> None:
    """IntegrityError unless ``directory`` holds exactly these files, byte for byte."""
    found = {entry.path: entry for entry in scan(directory).files}
    for entry in entries:
        if entry.path not in found:
            raise IntegrityError(f"{directory / entry.path} is missing: sha256 expected {entry.sha256}, found none")
        _require(str(directory / entry.path), entry, found[entry.path].sha256)
        _require_size(str(directory / entry.path), entry, found.pop(entry.path).size)
    if found:
        raise IntegrityError(f"{directory / min(found)} is not in the manifest; delete it")


def _stamps(directory: Path) -> dict[str, tuple[int, int]]:
    """Size and modification time (ns) of every file below ``directory``, by posix path."""
    stamps: dict[str, tuple[int, int]] = {}
    folders = [directory]
    while folders:
        folder = folders.pop()
        try:
            children = sorted(folder.iterdir())
        except OSError as error:
            raise StoreError(f"{folder} cannot be stored: {error.strerror}; give a directory with files") from error
        if not children:
            raise StoreError(f"{folder} is an empty directory, which a store cannot keep; remove it or fill it")
        for child in children:
            with explaining("look at", str(child)):
                status = os.lstat(child)
            if S_ISDIR(status.st_mode):
                folders.append(child)
            elif S_ISREG(status.st_mode):
                path = safe_key(child.relative_to(directory).as_posix())
                stamps[path] = (status.st_size, status.st_mtime_ns)
            else:
                raise StoreError(
                    f"{child} is a symlink or a special file; a store keeps regular files: put a copy there"
                )
    return stamps


def _hash(path: Path) -> str:
    with explaining("read", str(path)), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _lies_there(store: ObjectStore, key: str, entry: FileEntry) -> bool:
    try:
        return store.size(key) == entry.size and store.sha256(key) == entry.sha256
    except ObjectMissingError:
        return False


def _require(where: str, entry: FileEntry, digest: str) -> None:
    if digest != entry.sha256:
        raise IntegrityError(
            f"{where} is damaged: sha256 expected {entry.sha256}, found {digest}; "
            "restore it from a copy, or run its stage again"
        )


def _require_size(where: str, entry: FileEntry, size: int) -> None:
    if size != entry.size:
        raise IntegrityError(
            f"{where} is damaged: {entry.size} bytes with sha256 {entry.sha256} expected, {size} bytes found; "
            "restore it from a copy, or run its stage again"
        )


def _missing(store: ObjectStore, key: str, entry: FileEntry) -> IntegrityError:
    return IntegrityError(
        f"{store.uri}/{key} is missing: sha256 expected {entry.sha256}, found none; "
        "restore it from a copy, or run its stage again"
    )


def _each(work: Callable[[FileEntry], None], entries: Sequence[FileEntry]) -> None:
    """``work`` on every entry, ``WORKERS`` at a time; the first error ends it, and what has not begun is not begun."""
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="store") as pool:
        for _ in pool.map(work, entries):
            pass
