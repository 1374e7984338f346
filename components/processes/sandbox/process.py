"""One started program: its pipes, its gate, its clock and how it ended."""

import contextlib
import json
import logging
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from r1flow.components.processes.sandbox import launcher
from r1flow.components.processes.sandbox.base import Program
from r1flow.components.processes.sandbox.descriptors import close_all, pipe, sealed, wait_readable

CHUNK = 65536
GONE_S = 5.0
"""How long a killed sandbox may take to vanish before its slot counts as lost."""

Reason = Literal["timeout", "output", "judge"]
"""Why we killed a program: its clock, its output, or the end of its judge."""

logger = logging.getLogger(__name__)


class Process:
    """A program behind its gate. For one thread; ``close`` in every case.

    ``prefix`` is the command that isolates and then runs the shell of components.processes.sandbox.launcher; ``passed`` are the
    descriptors that it needs, ``peers`` those that the program sees at 3 and 4. ``info`` is a file in which bubblewrap
    names the sandbox's first process. Raises ``OSError`` where nothing can be started.
    """

    def __init__(
        self,
        program: Program,
        prefix: Sequence[str],
        passed: Sequence[int] = (),
        peers: Mapping[int, int] | None = None,
        *,
        info: int | None = None,
        nproc: int | None = None,
        cwd: str | None = None,
        environment: Mapping[str, str] | None = None,
        on_close: Callable[[bool], None] | None = None,
    ) -> None:
        self.program = program
        self.output = {"stdout": bytearray(), "stderr": bytearray(), "report": bytearray()}
        self.truncated = False
        self.released_at: float | None = None
        self.ended_at: float | None = None
        self.returncode: int | None = None
        self.reason: Reason | None = None
        self.ready = False
        self.clean = True
        self._info, self._on_close = info, on_close
        self._init: int | None = None
        self._fds: dict[str, int] = {}
        given: list[int] = []
        try:
            for name in ("stdout", "stderr", "report"):
                self._fds[name], writing = pipe()
                given.append(writing)
                os.set_blocking(self._fds[name], False)
            gate, self._fds["gate"] = pipe()
            given.append(gate)
            stdin = sealed(program.stdin)
            given.append(stdin)
            places = {launcher.REPORT_FD: given[2], **(peers or {})}
            inherited = [given[2], gate, *passed, *(peers or {}).values()]
            shell = launcher.command(program.argv, program.limits, places, gate, inherited, nproc)
            self._popen = subprocess.Popen(
                [*prefix, *shell],
                stdin=stdin,
                stdout=given[0],
                stderr=given[1],
                pass_fds=inherited,
                cwd=cwd,
                env=dict(environment or {}),
                start_new_session=True,
            )
            self._fds["end"] = os.pidfd_open(self._popen.pid)
        except BaseException:  # whatever stopped the start: no descriptor stays open, and a shell finds its gate closed
            close_all(self._fds.values())
            raise
        finally:
            close_all(given)

    def watched(self) -> dict[int, str]:
        """Descriptors to poll for reading, with what they carry; "end" is readable when the process has ended."""
        return {fd: name for name, fd in self._fds.items() if name != "gate"}

    def read(self, name: str) -> None:
        """Take what lies ready in one channel; closes it at its end, marks ``truncated`` past the limit."""
        kept, limit = self.output[name], self.program.limits.output_bytes
        try:
            chunk = os.read(self._fds[name], CHUNK)
        except BlockingIOError:
            return
        kept += chunk
        if not chunk:
            os.close(self._fds.pop(name))
        elif self.released_at is None and name == "report" and kept.startswith(launcher.READY):
            self._arrive()
        elif len(kept) > limit and self.released_at is not None:
            del kept[limit:]
            self.truncated = True

    def _arrive(self) -> None:
        """Isolation stands and the shell waits at the gate: what was printed on the way is not the program's."""
        self.ready = True
        for kept in self.output.values():
            kept.clear()
        if self._info is not None:
            said = json.loads(os.pread(self._info, CHUNK, 0))  # written whole before the shell began
            self._init = os.pidfd_open(said["child-pid"])

    def release(self) -> bool:
        """Open the gate; the clock runs from here. False where nobody waits at it any more."""
        self.released_at = time.monotonic()
        try:
            os.write(self._fds["gate"], b"go\n")
        except BrokenPipeError:
            return False
        return True

    def seconds_left(self) -> float:
        """Until the wall clock of a released program runs out."""
        assert self.released_at is not None
        return self.released_at + self.program.limits.wall_seconds - time.monotonic()

    def kill(self, reason: Reason | None = None) -> None:
        """SIGKILL for the sandbox's first process, on which the kernel ends all the others, and for its parent."""
        if self.ended_at is not None:
            return  # reaped: the process id may be another's by now
        self.reason = self.reason or reason
        if self._init is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._init, signal.SIGKILL)
        else:
            for child in _children(self._popen.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, signal.SIGKILL)

    def reap(self) -> None:
        """After "end" or ``kill``: wait until everything is gone, and take what is left in the pipes.

        A sandbox that is still there GONE_S after SIGKILL (a process stuck in the kernel) makes ``clean`` False.
        """
        if self.ended_at is not None:
            return
        code: int | None = None
        try:
            code = self._popen.wait(GONE_S)
            self._end_of_all()
        except (subprocess.TimeoutExpired, TimeoutError):
            self.clean = False
            logger.error("the sandbox of process %d is still there %g s after SIGKILL", self._popen.pid, GONE_S)
        self.ended_at = time.monotonic()
        for name in self.output:
            self._drain(name)
        # Whether a program that wrote too much ended before we killed it is chance, and not reported.
        seen = code is not None and self.reason is None and not self.truncated
        self.returncode = _signalled(code) if seen and code is not None else None

    def _end_of_all(self) -> None:
        """The first process of a PID namespace ends after all others: its end is the end of everything."""
        if self._init is None:
            return
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._init, signal.SIGKILL)
        if not wait_readable(self._init, GONE_S):
            raise TimeoutError
        # Its parent has ended, somebody inherits it: the machine's first process, or this one where it is that.
        with contextlib.suppress(ChildProcessError):
            os.waitid(os.P_PIDFD, self._init, os.WEXITED | os.WNOHANG)

    def _drain(self, name: str) -> None:
        """Read to the end of a channel, or to where it is empty: a survivor may hold it without isolation."""
        while name in self._fds and not self.truncated:
            before = len(self.output[name])
            self.read(name)
            if name in self._fds and len(self.output[name]) == before:
                return

    def close(self) -> None:
        """Kill what may still run and give everything back."""
        try:
            self.kill()
            self.reap()
        finally:
            close_all([*self._fds.values(), *(fd for fd in (self._info, self._init) if fd is not None)])
            self._fds, self._info, self._init = {}, None, None
            if self._on_close is not None:
                self._on_close(self.clean)
                self._on_close = None


def _signalled(code: int) -> int:
    """bubblewrap and shells report a death by signal n as exit code 128 + n; nobody can tell it from ``exit(128 + n)``."""
    return 128 - code if 128 < code <= 128 + signal.NSIG else code


def _children(pid: int) -> list[int]:
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as listed:
            return [int(child) for child in listed.read().split()]
    except OSError:  # ended, or a kernel without CONFIG_PROC_CHILDREN: killing the parent has to do
        return []
