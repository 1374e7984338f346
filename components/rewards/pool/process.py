"""One worker as the dispatcher sees it: start it, feed it without ever waiting, kill it, read how it died."""

import contextlib
import math
import os
import re
import signal
import subprocess
import time
from enum import Enum
from pathlib import Path
from typing import Any

import psutil

from r1flow.components.processes import tree
from r1flow.components.processes.environment import python_environment
from r1flow.components.processes.preload import python_command
from r1flow.components.rewards.pool.wire import Frames

START_S = 120.0
"""The longest that the imports may take, on a loaded machine without byte code."""
READ_BYTES = 2**18
TAIL_BYTES = 4000

_ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
_SAME_ALWAYS = {"PYTHONHASHSEED": "0"}  # sympy walks through sets: the same answer has to meet the same order
_MEMORY = re.compile(rb"MemoryError|[Cc]annot allocate memory|bad_alloc")
_OWN_SIGNALS = {
    signal.Signals[name] for name in ("SIGSEGV", "SIGBUS", "SIGABRT", "SIGFPE", "SIGILL", "SIGTRAP", "SIGSYS")
}


class Death(Enum):
    """Why a worker died that nobody here killed."""

    CRASH = "crash"  # a fault, an abort, an exit
    MEMORY = "memory"  # said so before it died, or SIGKILL that the kernel may have sent for want of memory
    ALARM = "alarm"  # over the item's clock, ended by its own timer
    OUTSIDE = "outside"  # a signal that neither the worker nor the kernel's OOM killer has sent


class WorkerProcess:
    """A running worker. Raises ``OSError`` where the system starts no process."""

    def __init__(self, judge: str, memory_bytes: int) -> None:
        self._oom_kills = _oom_kills()
        self._popen = subprocess.Popen(
            python_command("r1flow.components.rewards.pool.worker", judge, str(memory_bytes), str(os.getpid())),
            env=python_environment() | _ONE_THREAD | _SAME_ALWAYS,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,  # a group of its own to kill, out of reach of the terminal's Ctrl-C
        )
        self._streams = [
            stream for stream in (self._popen.stdin, self._popen.stdout, self._popen.stderr) if stream is not None
        ]
        self.requests, self.answers, self.errors = self.descriptors = [stream.fileno() for stream in self._streams]
        for descriptor in self.descriptors:
            os.set_blocking(descriptor, False)
        self.pid = self._popen.pid
        self.ready = False
        self.served = 0
        self.has_family = False
        self.warm_bytes = 0
        self.cpu = 0.0  # processor seconds when it last spoke
        self.deadline = time.monotonic() + START_S
        self._frames = Frames()
        self._unsent = memoryview(b"")
        self._tail = b""

    def send(self, data: bytes) -> None:
        """Take ``data`` on; ``flush`` writes what the pipe holds."""
        self._unsent = memoryview(bytes(self._unsent) + data if self._unsent else data)
        self.flush()

    def flush(self) -> None:
        """Write what goes in without waiting."""
        with contextlib.suppress(BlockingIOError, BrokenPipeError):  # full: later; gone: its end of file tells
            while self._unsent:
                self._unsent = self._unsent[os.write(self.requests, self._unsent) :]

    @property
    def unsent(self) -> bool:
        """Whether ``flush`` has more to write."""
        return bool(self._unsent)

    def receive(self) -> list[dict[str, Any]] | None:
        """The messages that have come; None at the end of file. Raises ``ValueError`` for bytes that are no message."""
        try:
            data = os.read(self.answers, READ_BYTES)
        except BlockingIOError:
            return []
        return self._frames.feed(data) if data else None

    def read_errors(self) -> bool:
        """Keep the end of what the worker writes to standard error; False at its end of file."""
        try:
            data = os.read(self.errors, READ_BYTES)
        except BlockingIOError:
            return True
        self._tail = (self._tail + data)[-TAIL_BYTES:]
        return bool(data)

    @property
    def tail(self) -> str:
        """The end of standard error."""
        return self._tail.decode("utf-8", errors="replace").strip()

    def kill(self) -> None:
        """SIGKILL for the group and, where programs were judged, for descendants in other sessions; does not wait.

        The pid cannot be another's: until ``exit_code`` has collected the process it stays taken.
        """
        if self._popen.returncode is not None:
            return
        descendants = tree.descendants(self.pid) if self.has_family else []
        with contextlib.suppress(ProcessLookupError, PermissionError):  # no leader of a group yet, or (macOS) a zombie
            os.killpg(self.pid, signal.SIGKILL)
        tree.send_all(descendants, signal.SIGKILL)
        self._popen.kill()

    def close(self) -> None:
        """Close this end of the pipes, whatever is still in them."""
        for stream in self._streams:
            stream.close()

    def exit_code(self) -> int | None:
        """None while it runs, else as ``subprocess`` has it; collects the process."""
        return self._popen.poll()

    def cpu_since(self) -> float:
        """Processor seconds since it last spoke."""
        try:
            times = psutil.Process(self.pid).cpu_times()
        except psutil.Error:  # gone meanwhile, or not ours to look at: no excuse for it
            return math.inf
        used: float = times.user + times.system
        return used - self.cpu

    def death(self, code: int) -> Death:
        """What the exit code of a worker that nobody here has killed says.

        SIGKILL comes from the kernel only where its count of OOM kills (/proc/vmstat, the whole machine's) has risen
        since this worker started; where that cannot be read, it is taken to have.
        """
        if code == -signal.SIGALRM:
            return Death.ALARM
        if _MEMORY.search(self._tail):
            return Death.MEMORY
        if code >= 0 or -code in _OWN_SIGNALS:
            return Death.CRASH
        if code == -signal.SIGKILL and (self._oom_kills is None or _oom_kills() != self._oom_kills):
            return Death.MEMORY
        return Death.OUTSIDE


def _oom_kills() -> int | None:
    """How many processes the kernel has killed for want of memory since it started; None where it does not say."""
    with contextlib.suppress(OSError):  # no /proc: not Linux
        for line in Path("/proc/vmstat").read_text(encoding="ascii").splitlines():
            name, _, count = line.partition(" ")
            if name == "oom_kill":
                return int(count)
    return None
