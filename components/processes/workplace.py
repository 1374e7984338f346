"""Directories that no two processes work in at a time, such as a program's: the same for every try."""

import fcntl
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(directory: Path) -> Iterator[bool]:
    """Whether ``directory``, made where it is missing, is this process's for the length of the block: no other has locked it."""
    directory.mkdir(parents=True, exist_ok=True)
    handle = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            mine = True
        except BlockingIOError:
            mine = False
        yield mine
    finally:
        os.close(handle)


@contextmanager
def own_directory(directory: Path) -> Iterator[Path]:
    """``directory``, locked for the length of the block; a new one beside it where a living process works there.

    That process may have been paused for so long that its work was given to this one: its program may still be writing.
    """
    with locked(directory) as mine:
        if not mine:
            directory = directory.with_name(f"{directory.name}-{uuid.uuid4().hex[:8]}")
            directory.mkdir()
        yield directory
