"""Servers that are not ours (databases, UIs), started in order, watched together, stopped in the opposite order.

Each has a guard (``r1flow.components.processes.guard``), so that none outlives this process, whatever ends it.
"""

import contextlib
import logging
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from r1flow.components.core.errors import ServerFailed
from r1flow.components.processes import tree
from r1flow.components.processes.environment import python_environment
from r1flow.components.processes.lifeline import Channel
from r1flow.components.processes.outcome import log_tail
from r1flow.components.processes.preload import python_command
from r1flow.components.processes.probe import answers
from r1flow.components.processes.warden import GRACE_S, KILL_S

TICK_S = 0.2
MARGIN_S = 5.0
LOOPBACK = "127.0.0.1"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Server:
    """A command and how to tell that it serves.

    ``ready`` is an address for :func:`r1flow.components.processes.probe.answers`; without one the command is a job,
    which is done when it has ended with code 0. ``environment`` is all that the command sees. ``gently`` asks it to
    end, and with None SIGTERM its whole tree; SIGKILL follows after ``grace_s``.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    ready: str = ""
    gently: signal.Signals | None = signal.SIGTERM
    grace_s: float = 10.0
    start_s: float = 180.0


class Servers:
    """A group of servers for the length of a with-block. Their output goes to ``logs/NAME.log``."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._running: list[_Guarded] = []

    def __enter__(self) -> Self:
        return self

    def start(self, server: Server) -> float:
        """Start one and wait until it serves, or until the job is done; the seconds that took.

        Raises ServerFailed, with the end of the log, where it ends before or takes longer than ``start_s``, and where one
        of those that run already ends meanwhile.
        """
        self._logs.mkdir(parents=True, exist_ok=True)
        started = time.monotonic()
        process = _Guarded(server, self._logs / f"{server.name}.log")
        self._running.append(process)
        while not process.serves():
            self._raise_ended()
            if time.monotonic() > started + server.start_s:
                raise ServerFailed(f"{server.name} does not answer after {server.start_s:g} s\n{process.log()}")
            time.sleep(TICK_S)
        if not server.ready:
            self._running.remove(process)
            process.stop()
        return time.monotonic() - started

    def watch(self) -> None:
        """Wait until one of them ends, which is a ServerFailed; an exception (KeyboardInterrupt) is the way out."""
        while True:
            self._raise_ended()
            time.sleep(TICK_S)

    def _raise_ended(self) -> None:
        for process in self._running:
            if process.ended() and not process.done():
                raise ServerFailed(f"{process.server.name} has ended ({process.ending()})\n{process.log()}")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with _undisturbed():
            while self._running:
                self._running.pop().stop()


class _Guarded:
    """One server with its guard."""

    def __init__(self, server: Server, log: Path) -> None:
        self.server = server
        self._log = log
        self._program: list[int] = []
        self._report: dict[str, Any] | None = None
        self._gone = False
        ours, theirs = socket.socketpair()
        self._lifeline = Channel(ours)
        with theirs, log.open("ab") as file:
            self._log_start = file.tell()
            arguments = [str(theirs.fileno()), str(int(server.gently or 0)), str(server.grace_s), *server.command]
            self._popen = subprocess.Popen(
                python_command("r1flow.components.processes.guard", *arguments),
                env={"PYTHONPATH": python_environment()["PYTHONPATH"], **server.environment},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,  # a Ctrl-C in the terminal is for us, who stop them in order
            )

    def _listen(self, timeout_s: float) -> None:
        """Take what the guard has to say."""
        try:
            message = self._lifeline.receive(timeout_s)
        except EOFError:
            self._gone = True
            return
        if message is not None and "program" in message:
            self._program = [message["program"]]
        elif message is not None:
            self._report = message

    def ended(self) -> bool:
        """Whether the whole tree is gone."""
        if not self._gone:
            self._listen(0)
        return self._gone or self._report is not None

    def done(self) -> bool:
        """Whether it is a job that has ended well."""
        return not self.server.ready and self._report is not None and self._report["status"] == 0

    def serves(self) -> bool:
        if self.server.ready:
            return not self.ended() and answers(self.server.ready)
        return self.ended() and self.done()

    def ending(self) -> str:
        if self._report is None:
            return "its guard was killed"
        status = int(self._report["status"])
        return f"exit code {status}" if status >= 0 else signal.Signals(-status).name

    def log(self) -> str:
        return log_tail(self._log, self._log_start)

    def stop(self) -> None:
        """Ask it to end, wait, and see to it that nothing is left."""
        with contextlib.suppress(BrokenPipeError):
            self._lifeline.send({"order": "stop"})
        deadline = time.monotonic() + self.server.grace_s + GRACE_S + KILL_S + MARGIN_S
        while not self._gone and time.monotonic() < deadline:
            self._listen(TICK_S)
        if not self._gone or self._report is None:
            tree.kill_all([self._popen.pid, *self._program])
        elif self._report["survivors"]:
            logger.error("%s: processes that SIGKILL does not end: %s", self.server.name, self._report["survivors"])
        self._lifeline.close()
        try:
            self._popen.wait(MARGIN_S)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait(MARGIN_S)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Ctrl-C and SIGTERM wait for the end of the block, which is bounded by the servers' graces."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def interrupted_by_signals() -> None:
    """From now on SIGTERM and SIGINT, which a script's ``&`` switches off, raise KeyboardInterrupt in the main thread."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)


def free_port(preferred: int = 0, taken: frozenset[int] | set[int] = frozenset()) -> int:
    """``preferred`` where nobody listens there on loopback, else any free port; never one of ``taken``."""
    for port in (preferred, *[0] * 20):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that linger do not count
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
            found: int = probe.getsockname()[1]
        if found not in taken:
            return found
    raise ServerFailed(f"no free port on {LOOPBACK}")


def plain_environment() -> dict[str, str]:
    """What every server may know of this process's environment: where programs and files lie, language, time zone."""
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR") if name in os.environ}
