"""A directory's identity in fingerprints, and a cache of it: 64 GB of weights are hashed once for each version of the files."""

import hashlib
import json
import os
import re
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

SETTLED_NS = 2_000_000_000
"""A file that changed less long ago may change again without its times telling: some file systems count in seconds."""


def directory_digest(directory: Path, cache: Path | None = None) -> str:
    """sha256 over names and contents of a directory's files; of a single file its name does not count, only its suffix.

    With ``cache`` (``R1_HOME/cache``) unchanged files are not read again. Changed is what has another name, size, inode, time
    of content or time of status, the last of which nobody can set back.
    """
    if directory.is_file():
        files = {directory.suffix: directory}
    else:
        found = sorted(path for path in directory.rglob("*") if path.is_file())
        files = {path.relative_to(directory).as_posix(): path for path in found}
    if cache is None:
        return _digest(files)
    started, before = time.time_ns(), _stamps(files)
    kept = cache / "digests" / hashlib.sha256(json.dumps(before).encode()).hexdigest()
    with suppress(OSError, ValueError):  # there is none, or it cannot be read: the files can
        if re.fullmatch("[0-9a-f]{64}", known := kept.read_text(encoding="ascii")):
            return known
    digest = _digest(files)
    settled = all(started - max(mtime, ctime) > SETTLED_NS for *_, mtime, ctime in before)
    if settled and before == _stamps(files):
        _keep(kept, digest)
    return digest


def _digest(files: Mapping[str, Path]) -> str:
    digest = hashlib.sha256()
    for name, path in files.items():
        with path.open("rb") as stream:
            content = hashlib.file_digest(stream, "sha256").hexdigest()
        digest.update(f"{name}\0{content}\n".encode())
    return digest.hexdigest()


def _stamps(files: Mapping[str, Path]) -> list[tuple[str, int, int, int, int, int]]:
    """What tells a file's version. Links are followed: the hub's cache is made of them."""
    found = ((name, path.stat()) for name, path in files.items())
    return [(name, s.st_size, s.st_dev, s.st_ino, s.st_mtime_ns, s.st_ctime_ns) for name, s in found]


def _keep(path: Path, digest: str) -> None:
    """In one step, so that nobody reads half of it."""
    draft = path.with_name(f".{path.name}-{uuid.uuid4().hex}")
    with suppress(OSError):  # a full or read-only disk costs the next run time, and this one nothing
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(digest, encoding="ascii")
        os.replace(draft, path)
