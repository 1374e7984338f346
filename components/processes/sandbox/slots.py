"""A user id of its own for every sandbox that runs on this machine, by record locks on one file.

Byte i of the file is locked while somebody uses user id FIRST_UID + i. The kernel gives a lock back when its holder
dies, a child made by fork does not have it, and a process takes each byte once (its threads share the locks).
"""

import contextlib
import fcntl
import os
import pwd
import random
import signal
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

FIRST_UID = 48000
"""Between the users of Debian (to 29999, 60000 and up) and subordinate ids (100000 and up)."""
COUNT = 256
_DIRECTORIES = (Path("/run"), Path("/tmp"))
LOCKS = "r1flow-sandbox-slots"
"""Name of the lock file."""


class Slots:
    """The slots of this machine, for root. One object per process: the kernel's locks do not part two of them.

    Raises ``OSError`` where no directory can hold the lock file.
    """

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._taken: set[int] = set()
        self._barred: set[int] = set()
        self._fd = _open()
        # Record locks stay with the parent; what the parent's threads held is free or not for the child to find out.
        os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        self._mutex = threading.Lock()
        self._taken = set()

    def take(self) -> int:
        """A user id that nobody else uses until ``give_back``. Raises ``BlockingIOError`` where all are taken."""
        with self._mutex:
            first = random.randrange(COUNT)
            for slot in ((first + i) % COUNT for i in range(COUNT)):
                if slot not in self._taken and slot not in self._barred and self._lock(slot):
                    if not _somebody(FIRST_UID + slot):
                        self._taken.add(slot)
                        return FIRST_UID + slot
                    self._barred.add(slot)
        raise BlockingIOError(f"all {COUNT} sandbox slots of this machine are taken")

    def give_back(self, uid: int, clean: bool = True) -> None:
        """Free a user id; one whose sandbox would not die (not ``clean``) stays taken as long as this process lives."""
        with self._mutex:
            if clean:
                self._taken.discard(uid - FIRST_UID)
                fcntl.lockf(self._fd, fcntl.LOCK_UN, 1, uid - FIRST_UID)

    def _lock(self, slot: int) -> bool:
        try:
            fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, slot)
        except (BlockingIOError, PermissionError):  # EAGAIN or EACCES: another process has it
            return False
        return True

    def sweep(self) -> int:
        """Kill bubblewrap processes under user ids that nobody holds, and count them.

        A caller killed in one certain tenth of a millisecond of a start leaves one that waits for its parent for ever,
        before any program has begun; die-with-parent does not reach it yet.
        """
        swept = 0
        with self._mutex:
            for pid, slot in _sandboxed():
                if slot in self._taken or slot in self._barred or not self._lock(slot):
                    continue
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    swept += 1
                fcntl.lockf(self._fd, fcntl.LOCK_UN, 1, slot)
        return swept


def become(uid: int | None) -> list[str]:
    """The beginning of a command line that runs the rest under ``uid``, without a way to more rights."""
    ids = [] if uid is None else [f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
    return ["setpriv", *ids, "--no-new-privs"]


def usable() -> bool:
    """Whether this process is root and may become the slots' user ids."""
    if os.geteuid() != 0:
        return False
    last = FIRST_UID + COUNT - 1
    return all(
        any(start <= uid < start + count for start, count in _map(kind))
        for kind in ("uid", "gid")
        for uid in (FIRST_UID, last)
    )


def _map(kind: str) -> list[tuple[int, int]]:
    lines = Path(f"/proc/self/{kind}_map").read_text().splitlines()
    return [(int(line.split()[0]), int(line.split()[2])) for line in lines]


def _somebody(uid: int) -> bool:
    """Whether a user of this machine has the id."""
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def processes_of(uid: int) -> Iterator[int]:
    """Ids of the live processes of a user."""
    return (pid for pid, owner in owners() if owner == uid)


def _sandboxed() -> Iterator[tuple[int, int]]:
    """Processes called bwrap that run under a slot's user id: (pid, slot)."""
    for pid, owner in owners():
        with contextlib.suppress(OSError):  # ended meanwhile
            if 0 <= owner - FIRST_UID < COUNT and Path(f"/proc/{pid}/comm").read_text().strip() == "bwrap":
                yield pid, owner - FIRST_UID


def owners() -> Iterator[tuple[int, int]]:
    """(pid, user id) of all processes but the ended ones that wait for their parent."""
    for entry in os.scandir("/proc"):
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):  # ended meanwhile
                fields = dict(
                    line.split(":", 1) for line in Path(entry.path, "status").read_text().splitlines() if ":" in line
                )
                if fields["State"].split()[0] not in "ZX":
                    yield int(entry.name), int(fields["Uid"].split()[0])


def _open() -> int:
    """The lock file: a regular file of ours that nobody else can write. All processes of the machine find the same."""
    problem = OSError(f"{LOCKS}: none of {', '.join(map(str, _DIRECTORIES))} can be written")
    for directory in _DIRECTORIES:
        try:
            fd = os.open(directory / LOCKS, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            problem = error
            continue
        found = os.fstat(fd)
        if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077:
            return fd
        os.close(fd)
        problem = PermissionError(f"{directory / LOCKS} is not a private file of user {os.geteuid()}; remove it")
    raise problem
