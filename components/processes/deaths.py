"""In which order processes end, also where they end between two looks.

On Linux every process is a descriptor that epoll watches (pidfd_open(2)): its list of what is ready grows in the order of the
ends. Elsewhere, and for a process that was gone before it was watched, a look takes them in the order in which they were named.
"""

import os
import select
from collections.abc import Iterable

import psutil

from r1flow.components.processes.prctl import ON_LINUX


class Deaths:
    """Watches processes of this machine by their ids, from :meth:`look` to look."""

    def __init__(self) -> None:
        self._epoll = select.epoll() if ON_LINUX else None
        self._descriptors: dict[int, int] = {}
        self._ended: list[int] = []

    def look(self, pids: Iterable[int]) -> list[int]:
        """Those of all ``pids`` named so far that have ended, zombies too, the first end first."""
        for pid in pids:
            if pid not in self._descriptors and pid not in self._ended:
                self._watch(pid)
        if self._epoll is None:
            self._ended += [pid for pid in self._descriptors if pid not in self._ended and not _runs(pid)]
            return list(self._ended)
        known = {descriptor: pid for pid, descriptor in self._descriptors.items()}
        for descriptor, _ in self._epoll.poll(0, max(1, len(known))):
            self._ended.append(known[descriptor])
            self._forget(known[descriptor])
        return list(self._ended)

    def close(self) -> None:
        for pid in list(self._descriptors):
            self._forget(pid)
        if self._epoll is not None:
            self._epoll.close()

    def _watch(self, pid: int) -> None:
        if self._epoll is None:
            self._descriptors[pid] = -1
            return
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            self._ended.append(pid)
            return
        self._epoll.register(descriptor, select.EPOLLIN)
        self._descriptors[pid] = descriptor

    def _forget(self, pid: int) -> None:
        descriptor = self._descriptors.pop(pid)
        if self._epoll is not None:
            self._epoll.unregister(descriptor)
            os.close(descriptor)


def _runs(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
