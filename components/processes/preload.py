"""The fork server as the flow process sees it: heavy imports are paid for once.

Importing torch and transformers costs 10 to 20 seconds on two cores. The server (``forker``) imports them while the
flow does other work; a program then starts in a few hundredths of a second.
"""

import json
import logging
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from typing import Any, Self

from r1flow.components.core.errors import StageFailed
from r1flow.components.processes.environment import python_environment
from r1flow.components.processes.forker import IMPORT_ENV
from r1flow.components.processes.lifeline import START_S, Channel

CLOSE_S = 5.0

logger = logging.getLogger(__name__)


def python_command(module: str, *arguments: str) -> list[str]:
    """The argv that runs ``module`` in this interpreter, without the working directory on the import path."""
    return [sys.executable, "-P", "-m", module, *arguments]


class ForkServer:
    """A process that has imported ``preload`` and forks wardens on demand. Any number of threads may use it.

    It ends when ``close`` is called or this process dies. One that has died is started anew by the next request.
    """

    def __init__(self, preload: Sequence[str]) -> None:
        self._preload = tuple(preload)
        self._lock = threading.Lock()
        self._report: dict[str, Any] | None = None
        self._launch()

    @classmethod
    def start(cls, preload: Sequence[str]) -> Self:
        """Start the server and return at once; the imports go on in the background."""
        return cls(preload)

    def ready(self, timeout_s: float = START_S) -> float:
        """Wait for the imports; the seconds they took. Raises ``StageFailed`` naming what could not be imported."""
        with self._lock:
            if self._report is None:
                self._report = self._read_report(timeout_s)
            report = self._report
        if report["failures"]:
            reasons = "; ".join(f"{module} ({reason})" for module, reason in report["failures"].items())
            raise StageFailed(f"the fork server could not preload {reasons}")
        seconds: float = report["seconds"]
        return seconds

    def fork(self, lifeline: socket.socket) -> None:
        """Ask for a warden on ``lifeline``, which the caller may close afterwards. Does not wait for the imports."""
        with self._lock:
            if self._process.poll() is not None:
                logger.warning("the fork server has ended (exit code %d); starting another", self._process.returncode)
                self._control.close()
                self._log.close()
                self._launch()
            try:
                socket.send_fds(self._control, [b"f"], [lifeline.fileno()])
            except OSError as error:
                raise StageFailed(
                    f"the fork server is gone ({error}); try again: the next request starts another"
                ) from error

    def close(self) -> None:
        """End the server. Programs that are running are not touched."""
        with self._lock:
            self._control.close()
            self._process.kill()  # it holds nothing that could be lost, and while it imports it reads no socket
            self._process.wait(CLOSE_S)
            self._log.close()

    def _launch(self) -> None:
        """Start the process; its output goes to an unnamed file that is quoted where it dies."""
        self._report = None
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by ``close``
        self._control, theirs = socket.socketpair()
        self._channel = Channel(self._control)
        with theirs:
            arguments = [str(theirs.fileno()), str(os.getpid()), *self._preload]
            self._process = subprocess.Popen(
                python_command("r1flow.components.processes.forker", *arguments),
                env=python_environment() | IMPORT_ENV,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                start_new_session=True,  # a Ctrl-C in the terminal is for the flow, which then stops its programs
            )

    def _read_report(self, timeout_s: float) -> dict[str, Any]:
        """Receive the server's one message and pass its warning on."""
        modules = json.dumps(self._preload)
        try:
            report = self._channel.receive(timeout_s)
        except EOFError:
            code = self._process.wait(CLOSE_S)
            self._log.seek(0)
            tail = self._log.read().decode("utf-8", errors="replace")[-2000:]
            raise StageFailed(f"the fork server died (exit code {code}) while it imported {modules}:\n{tail}") from None
        if report is None:
            raise StageFailed(f"the fork server has not imported {modules} within {timeout_s:g} s")
        if report["warning"]:
            logger.warning("%s", report["warning"])
        return report
