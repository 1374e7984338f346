"""File descriptors that can be handed to a program at numbers of our choice."""

import contextlib
import fcntl
import os
import select
from collections.abc import Iterable

from r1flow.components.processes.sandbox.launcher import FIRST_PASSED_FD


def pipe() -> tuple[int, int]:
    """A pipe whose ends lie at FIRST_PASSED_FD and above, closed on exec."""
    low = os.pipe()
    try:
        reading = _high(low[0])
        try:
            return reading, _high(low[1])
        except OSError:
            os.close(reading)
            raise
    finally:
        close_all(low)


def unnamed(name: str) -> int:
    """A descriptor of an empty file in memory, closed on exec."""
    low = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        return _high(low)
    finally:
        os.close(low)


def sealed(content: bytes) -> int:
    """A descriptor of an unnamed file in memory with ``content``, at its beginning, that nobody can change."""
    fd = unnamed("input")
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(fd, view) :]
        os.lseek(fd, 0, os.SEEK_SET)
        seals = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)
    except OSError:
        os.close(fd)
        raise
    return fd


def wait_readable(fd: int, seconds: float) -> bool:
    """Whether ``fd`` has something to read, or is at its end, within ``seconds``."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def close_all(fds: Iterable[int]) -> None:
    """Close each of them."""
    for fd in fds:
        with contextlib.suppress(OSError):  # nothing of ours is lost: these are pipes and files in memory
            os.close(fd)


def _high(fd: int) -> int:
    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, FIRST_PASSED_FD)
