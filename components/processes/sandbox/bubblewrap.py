"""Sandboxes by bubblewrap: namespaces of their own, a read-only system, one small writable /tmp, nothing else.

Where the caller is root every sandbox runs under a user id of its own (components.processes.sandbox.slots), elsewhere under the
caller's; the kernel counts processes (RLIMIT_NPROC) per user namespace, so that limits hold either way.

A sandbox ends with the thread that started it (die-with-parent), which waits for it in ``run``. That bond is tied when the
namespaces stand, not before: setpriv could tie it earlier, but a kill in the middle of a start leaves bubblewrap's child
waiting for ever. A start whose caller is gone comes to its end by itself, at the gate
(components.processes.sandbox.launcher); for that bubblewrap must be able to write its information, so that goes to a file
in memory instead of a pipe.
Known limits. Memory is bounded per process: ``processes`` times ``memory_bytes`` in the worst case. Empty files in /tmp
are bounded by time alone (bubblewrap cannot limit inodes). The kernel is shared. A program can reach the memory of the
sandbox's first process, which has no more rights than it has itself.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from r1flow.components.processes.sandbox import drive
from r1flow.components.processes.sandbox.base import Outcome, Program
from r1flow.components.processes.sandbox.descriptors import close_all, sealed, unnamed
from r1flow.components.processes.sandbox.process import Process
from r1flow.components.processes.sandbox.slots import Slots, become

WORK = "/tmp/work"
"""The working directory, on the size-limited file system at /tmp."""
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": WORK}
_SHARED_MEMORY = 1 << 20
_OVERHEAD = 1
"""The process that reaps the others inside the sandbox, which the kernel counts among them."""


class Bubblewrap:
    """``slots`` gives user ids (None: the caller's own), ``filter`` is a seccomp program, ``visible`` are directories
    beyond the system's that every sandbox sees read-only (an interpreter outside /usr)."""

    name = "bubblewrap"

    def __init__(self, slots: Slots | None, seccomp: bytes | None, visible: tuple[Path, ...] = ()) -> None:
        self.slots, self.seccomp, self.visible = slots, seccomp, visible
        found = shutil.which("bwrap")
        if found is None:
            raise FileNotFoundError("bwrap")
        self._bwrap = found
        self._system = list(_system())

    def run(self, program: Program) -> Outcome:
        return drive.run(self._start, [program])[0]

    def run_connected(self, judge: Program, candidate: Program) -> tuple[Outcome, Outcome]:
        first, second = drive.run(self._start, [judge, candidate])
        return first, second

    def _start(self, program: Program, peers: Mapping[int, int]) -> Process:
        uid = self.slots.take() if self.slots else None

        def on_close(clean: bool) -> None:
            if self.slots and uid is not None:
                self.slots.give_back(uid, clean)

        given: list[int] = []
        info = -1
        try:
            info = unnamed("info")
            command = [*become(uid), "--", *self._isolate(program, info, given)]
            return Process(
                program,
                command,
                [info, *given],
                peers,
                info=info,
                nproc=program.limits.processes + _OVERHEAD,
                cwd="/",
                on_close=on_close,
            )
        except BaseException:  # whatever stopped the start, slot and descriptor go back
            close_all([info])
            on_close(True)
            raise
        finally:
            close_all(given)

    def _isolate(self, program: Program, info: int, given: list[int]) -> list[str]:
        """bubblewrap's command line; descriptors that it needs are added to ``given``."""
        files = []
        for name, content in program.files.items():
            given.append(sealed(content))
            files += ["--file", str(given[-1]), f"{WORK}/{name}"]
        seccomp = []
        if self.seccomp is not None:
            given.append(sealed(self.seccomp))
            seccomp = ["--seccomp", str(given[-1])]
        # Files come on top of the scratch space, each rounded up to pages: a caller's file never fails for want of it.
        size = program.limits.scratch_bytes + sum(len(content) + 8192 for content in program.files.values())
        environment = [part for name, value in ENVIRONMENT.items() for part in ("--setenv", name, value)]
        return [
            self._bwrap,
            *(
                "--unshare-all",
                "--unshare-user",
                "--disable-userns",
                "--die-with-parent",
                "--new-session",
                "--clearenv",
            ),
            *("--uid", "1000", "--gid", "1000", "--hostname", "sandbox", "--info-fd", str(info)),
            *self._system,
            *(part for path in self.visible for part in ("--ro-bind", str(path), str(path))),
            *("--proc", "/proc", "--dev", "/dev"),
            *("--size", str(_SHARED_MEMORY), "--tmpfs", "/dev/shm", "--remount-ro", "/dev"),
            *("--size", str(size), "--tmpfs", "/tmp", "--dir", WORK),
            *files,
            *("--remount-ro", "/", "--chdir", WORK),
            *environment,
            *seccomp,
            "--",
        ]


def _system() -> Iterator[str]:
    """The system's programs and libraries, read-only: /usr, what belongs to it under other names, the linker's cache."""
    yield from ("--ro-bind", "/usr", "/usr")
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        path = Path("/", name)
        if path.is_symlink():
            yield from ("--symlink", os.readlink(path), str(path))
        elif path.is_dir():
            yield from ("--ro-bind", str(path), str(path))
    for path in (Path("/etc/alternatives"), Path("/etc/ld.so.cache")):
        with contextlib.suppress(OSError):
            if path.exists():
                yield from ("--ro-bind", str(path), str(path))
