"""A store in a directory: atomic by hard links and renames, durable by fsync."""

import fcntl
import hashlib
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TypeAlias

import psutil

from r1flow.components.core.errors import IntegrityError, ObjectMissingError, StoreUnavailable
from r1flow.components.store.failures import explaining, require_document
from r1flow.components.store.keys import RESERVED, safe_key
from r1flow.components.store.probe import probe
from r1flow.components.store.process import this_machine

LOCK_WAIT_S = 30.0
Keys: TypeAlias = list[str]


class LocalStore:
    """Objects are files below ``root``; every file appears whole, read-only and under its final name, or not at all.

    The directory comes into being with the first write. Every method raises StoreUnavailable when the file system
    refuses, naming the key, the cause and the fix.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.uri = root.as_uri()

    def local_path(self, key: str) -> Path:
        return self.root / safe_key(key)

    def read_bytes(self, key: str) -> bytes:
        with explaining("read", self._name(key)):
            path = self._existing(key)
            require_document(self._name(key), path.stat().st_size)
            return path.read_bytes()

    def exists(self, key: str) -> bool:
        with explaining("look at", self._name(key)):
            return self.local_path(key).is_file()

    def size(self, key: str) -> int:
        with explaining("look at", self._name(key)):
            return self._existing(key).stat().st_size

    def sha256(self, key: str) -> str:
        with explaining("read", self._name(key)), self._existing(key).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def create(self, key: str, data: bytes) -> bool:
        target = self.local_path(key)
        with explaining("create", self._name(key)), _temporary(target) as (temporary, file):
            file.write(data)
            _settle(file)
            try:
                os.link(temporary, target)
            except FileExistsError:
                # Over NFS the answer to our own successful link may be lost and the repeated request refused.
                return os.stat(temporary).st_nlink > 1
            _sync_directory(target.parent)
            return True

    def put_file(self, path: Path, key: str) -> None:
        target = self.local_path(key)
        with explaining("read", str(path)):
            size = path.stat().st_size
        with (
            explaining(f"copy {path} ({size:,} bytes) to", self._name(key)),
            path.open("rb") as source,
            _temporary(target) as (temporary, file),
        ):
            shutil.copyfileobj(source, file, 1 << 20)
            _settle(file)
            os.replace(temporary, target)
            _sync_directory(target.parent)

    def get_file(self, key: str, path: Path) -> None:
        with (
            explaining(f"copy to {path} from", self._name(key)),
            self._existing(key).open("rb") as source,
            _temporary(path) as (temporary, file),
        ):
            shutil.copyfileobj(source, file, 1 << 20)
            file.flush()
            os.replace(temporary, path)

    def list(self, prefix: str = "") -> Keys:
        """Keys below the folder ``prefix``, sorted. Temporary files of processes that died here are removed."""
        top = self.local_path(prefix) if prefix else self.root
        found = []
        with explaining("list", self._name(prefix)):
            for folder, _, names in os.walk(top, onerror=_unless_gone):
                for name in names:
                    if not name.startswith(RESERVED):
                        found.append((Path(folder) / name).relative_to(self.root).as_posix())
                    elif _is_orphan(name):
                        (Path(folder) / name).unlink(missing_ok=True)
        return sorted(found)

    def sizes(self, prefix: str = "") -> dict[str, int]:
        found = {}
        for key in self.list(prefix):
            with suppress(ObjectMissingError):  # deleted since it was listed, or a link to nothing
                found[key] = self.size(key)
        return found

    def delete(self, key: str) -> None:
        target = self.local_path(key)
        with explaining("delete", self._name(key)), self._lock():
            target.unlink(missing_ok=True)
            with suppress(OSError):  # the folder still holds something, or is gone already
                for parent in target.relative_to(self.root).parents:
                    if parent.name:
                        (self.root / parent).rmdir()

    def swap(self, key: str, old: bytes, new: bytes) -> bool:
        target = self.local_path(key)
        with explaining("replace", self._name(key)), self._lock():
            if not target.is_file() or target.read_bytes() != old:
                return False
            with _temporary(target) as (temporary, file):
                file.write(new)
                _settle(file)
                os.replace(temporary, target)
            _sync_directory(target.parent)
            return True

    def written_at(self, key: str) -> float:
        with explaining("look at", self._name(key)):
            return self._existing(key).stat().st_mtime

    def abort_uploads(self, older_than_s: float) -> int:
        """Nothing: temporary files of dead processes go with the next ``list``."""
        return 0

    def probe(self) -> None:
        probe(self)

    def _name(self, key: str) -> str:
        return str(self.root / key)

    def _existing(self, key: str) -> Path:
        path = self.local_path(key)
        if not path.is_file():
            raise ObjectMissingError(f"there is no object {self._name(key)}")
        if path.is_symlink():  # what it points to may change, or be none of the store's business
            raise IntegrityError(f"{self._name(key)} is a symlink; a store keeps regular files: put a copy there")
        return path

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """One writer at a time for what depends on the present content; bounded, as its holder may be stopped."""
        _make_folder(self.root)
        handle = os.open(self.root / f"{RESERVED}lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            give_up = time.monotonic() + LOCK_WAIT_S
            while not _try_lock(handle):
                if time.monotonic() > give_up:
                    raise StoreUnavailable(
                        f"{self.root} stayed locked for {LOCK_WAIT_S:.0f} s; end the process that holds "
                        f"{self.root / RESERVED}lock (see: lsof)"
                    )
                time.sleep(0.01)
            yield
        finally:
            fcntl.flock(
                handle, fcntl.LOCK_UN
            )  # a child forked meanwhile has the handle too: closing ours is not enough
            os.close(handle)


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _temporary(target: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """A new read-only file beside ``target``, open for writing; removed at the end unless it was renamed."""
    machine = hashlib.sha256(this_machine().encode()).hexdigest()[:12]
    path = target.with_name(f"{RESERVED}tmp-{machine}-{os.getpid()}-{uuid.uuid4().hex}")
    for attempts_left in reversed(range(5)):
        _make_folder(target.parent)
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444)
            break
        except FileNotFoundError:  # a concurrent delete removed the folder that had just become empty
            if not attempts_left:
                raise
    try:
        with os.fdopen(handle, "wb") as file:
            yield path, file
    finally:
        path.unlink(missing_ok=True)


def _is_orphan(name: str) -> bool:
    parts = name.removeprefix(RESERVED).split("-")
    machine = hashlib.sha256(this_machine().encode()).hexdigest()[:12]
    return (
        len(parts) == 4
        and parts[:2] == ["tmp", machine]
        and parts[2].isdigit()
        and not psutil.pid_exists(int(parts[2]))
    )


def _settle(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _make_folder(folder: Path) -> None:
    """``mkdir -p`` whose new entries survive a power cut."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync_directory(folder.parent)


def _sync_directory(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _unless_gone(error: OSError) -> None:
    """A folder that vanishes while it is walked holds no keys; every other error counts."""
    if not isinstance(error, FileNotFoundError):
        raise error
