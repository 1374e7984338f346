"""Run a program in a supervised child process and own its whole process tree.

Whatever happens here (a time-out, a cancel, an exception, SIGKILL), nothing that the program started stays behind;
``r1flow.components.processes`` draws the processes.
"""

import contextlib
import logging
import math
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from r1flow.components.core.errors import StageFailed
from r1flow.components.processes import outcome, tree
from r1flow.components.processes.child import check_name
from r1flow.components.processes.environment import python_environment
from r1flow.components.processes.lifeline import START_S, Channel
from r1flow.components.processes.preload import ForkServer, python_command
from r1flow.components.processes.warden import GRACE_S, KILL_S

MARGIN_S = 5.0
NEWS_S = 0.5
"""How long a stop waits for word from a warden that has not reported a start."""

logger = logging.getLogger(__name__)


def run_program(
    program: str,
    spec: dict[str, Any],
    *,
    work: Path,
    server: ForkServer | None,
    timeout_s: float | None = None,
    poll: Callable[[], None] | None = None,
    poll_every_s: float = 0.5,
    cancelled: threading.Event | None = None,
) -> dict[str, Any]:
    """Run ``program`` (a module with ``main(spec) -> metrics``) to its end; the metrics.

    ``work`` receives ``spec.json``, ``log.txt`` (appended to on a retry) and ``exit.json``. With ``server`` the program
    is forked from it, without one it is a fresh interpreter. ``timeout_s`` counts from the program's start. ``poll`` is
    called about every ``poll_every_s`` and once after the end, in this thread.

    Raises the ``UserError`` or ``StoreUnavailable`` that the program raised; ``StageFailed`` for every other failure, a
    crash, the time-out and a cancel, with the end of the log; ``ValueError`` for a name outside ``r1flow.components.programs``.
    """
    check_name(program)
    work = work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    (work / "exit.json").unlink(missing_ok=True)
    outcome.write_json(work / "spec.json", spec)
    log_start = _open_log(work / "log.txt", program)
    with _Supervised(program, work, server) as process:
        reason = _watch(process, timeout_s, poll, poll_every_s, cancelled)
        if reason:
            process.stop()
    if poll:
        poll()
    if reason is None and not process.started:
        if server is not None:
            server.ready()  # raises, naming what it could not import
        reason = "could not be started"
    if reason:
        raise StageFailed(f"{program} {reason}\n{outcome.log_tail(work / 'log.txt', log_start)}")
    return outcome.read_metrics(program, work, process.report, log_start)


def _open_log(path: Path, program: str) -> int:
    """Append this try's header line; the byte at which its own lines begin."""
    with path.open("a", encoding="utf-8") as log:
        log.write(f"--- {program}, {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC ---\n")
        log.flush()
        return log.tell()


def _watch(
    process: "_Supervised",
    timeout_s: float | None,
    poll: Callable[[], None] | None,
    poll_every_s: float,
    cancelled: threading.Event | None,
) -> str | None:
    """Wait for the end; the reason to stop the program before it, or None."""
    start_by, end_by = time.monotonic() + START_S, math.inf
    while not process.wait(poll_every_s):
        if poll:
            poll()
        now = time.monotonic()
        if process.started and end_by == math.inf and timeout_s is not None:
            end_by = now + timeout_s
        if cancelled is not None and cancelled.is_set():
            return "was cancelled"
        if now > end_by:
            return f"ran past its time-out of {timeout_s:g} s"
        if now > start_by and not process.started:
            return f"did not start within {START_S:g} s"
    return None


class _Supervised:
    """A warden with its program, for the length of a with-block; the block's end stops what still runs."""

    def __init__(self, program: str, work: Path, server: ForkServer | None) -> None:
        self._program = program
        self._work = work
        self._server = server
        self._popen: subprocess.Popen[bytes] | None = None
        self._pids: dict[str, int] = {}
        self._ended = False  # the tree is gone, or was given up
        self.report: dict[str, Any] = {"status": None, "max_rss": 0, "survivors": []}

    @property
    def started(self) -> bool:
        """Whether the program has been seen running."""
        return bool(self._pids)

    def __enter__(self) -> Self:
        # This process's end stays here alone: Python's descriptors are not inherited across exec, and the fork server
        # never gets it. When the last copy is gone, by whatever death, the warden kills the tree.
        ours, theirs = socket.socketpair()
        self._lifeline = Channel(ours)
        with theirs:
            try:
                self._start_warden(theirs)
                self._send(
                    {"program": self._program, "work": str(self._work), "cwd": os.getcwd(), "env": python_environment()}
                )
            except BaseException:  # an interrupt too: end of file stops a warden that has started already
                self._lifeline.close()
                raise
        return self

    def _start_warden(self, theirs: socket.socket) -> None:
        """From the fork server, or as an interpreter of its own."""
        if self._server is not None:
            self._server.fork(theirs)
            return
        with (self._work / "log.txt").open("ab") as log:
            self._popen = subprocess.Popen(
                python_command("r1flow.components.processes.warden", str(theirs.fileno())),
                env=python_environment(),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def wait(self, timeout_s: float) -> bool:
        """Whether the whole tree has ended; at the latest after ``timeout_s``."""
        try:
            message = self._lifeline.receive(timeout_s)
        except EOFError:
            self._ended = True
            if self.report["status"] is None:  # the warden was killed: its program goes with it, the rest is swept up
                tree.kill_all(self._pids.values())
            return True
        if message is not None and "program" in message:
            self._pids = message
        elif message is not None:
            self.report = message
            if message["survivors"]:
                logger.error("%s: processes that SIGKILL does not end: %s", self._program, message["survivors"])
        return False

    def stop(self) -> None:
        """SIGTERM, grace, SIGKILL for the tree, carried out by the warden; by this process where it does not answer."""
        self._send({"order": "stop"})
        deadline = time.monotonic() + GRACE_S + KILL_S + MARGIN_S
        while time.monotonic() < deadline:
            if self.wait(GRACE_S if self.started else NEWS_S):
                return
            if not self.started:  # a warden that has yet to come (the server is importing) finds the order and ends
                break
        self._ended = True
        tree.kill_all(self._pids.values())

    def _send(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(BrokenPipeError):  # it has ended: the next wait sees the end of file
            self._lifeline.send(message)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            if not self._ended:
                self.stop()
        finally:
            self._lifeline.close()
            if self._popen is not None:
                self._reap(self._popen)

    def _reap(self, popen: subprocess.Popen[bytes]) -> None:
        """Collect the warden's exit; one that is frozen is killed first."""
        try:
            popen.wait(MARGIN_S)
        except subprocess.TimeoutExpired:
            popen.kill()
            popen.wait(MARGIN_S)
