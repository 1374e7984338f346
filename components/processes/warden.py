"""The process between the flow and a program: it starts the program, owns every descendant, and outlives them all.

It has one thread and runs no foreign code, so neither a C call that holds the GIL nor a crash of the program stops it
from seeing the flow's death (end of file on the lifeline) and killing the tree. On Linux it is the child subreaper
(prctl(2)): a descendant whose parent exits becomes its child, so "no children left" means "nothing left". The program
gets SIGKILL from the kernel when the warden dies (PR_SET_PDEATHSIG).

``python -m r1flow.components.processes.warden FD`` runs one on the inherited socket FD.
"""

import contextlib
import gc
import math
import os
import select
import signal
import socket
import sys
import time
import traceback
from pathlib import Path
from typing import Any, NoReturn

from r1flow.components.processes import child, tree
from r1flow.components.processes.lifeline import START_S, Channel
from r1flow.components.processes.prctl import ON_LINUX, PR_SET_CHILD_SUBREAPER, PR_SET_PDEATHSIG, prctl

GRACE_S = 3.0
"""From SIGTERM to SIGKILL."""
KILL_S = 10.0
"""How long SIGKILL is repeated before the survivors (in an uninterruptible system call) are reported and left."""
TICK_S = 0.05


def supervise(connection: socket.socket, imported: dict[str, str], warning: str = "") -> None:
    """Read one request from ``connection``, run its program to the end, and report.

    Request: ``program`` (module), ``work`` (directory), ``cwd`` and ``env`` of the caller. Reports: ``{"warden": pid,
    "program": pid}`` once it runs; ``{"status", "max_rss", "survivors"}`` when the whole tree is gone. Orders:
    ``{"order": "stop"}``; end of file kills at once. ``imported`` holds the variables that preloading has set,
    ``warning`` what the log is to begin with.
    """
    os.setsid()
    lifeline = Channel(connection)
    try:
        request = lifeline.receive(START_S)
        stopped = lifeline.receive(0)
    except EOFError:
        return  # the flow is gone, or has given up on a server that was still importing
    if request is None or stopped is not None:
        return
    _take_on(request, imported)
    if warning:
        print(warning, file=sys.stderr, flush=True)
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    wake = wake_on_signals()
    warden_pid = os.getpid()
    program_pid = os.fork()
    if program_pid == 0:
        lifeline.close()
        wake.close()
        _become_program(request, warden_pid)
    gc.disable()  # a collection would touch, and so copy, every page that is shared with the fork server
    with contextlib.suppress(BrokenPipeError):  # the flow is gone: the end of file comes next and is acted on
        lifeline.send({"warden": warden_pid, "program": program_pid})
    report = Tree(program_pid, lifeline, wake).tend()
    with contextlib.suppress(BrokenPipeError):  # nobody is left to be told
        lifeline.send(report)


def _take_on(request: dict[str, Any], imported: dict[str, str]) -> None:
    """Make the caller's directory and environment this process's own, and the log its output."""
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(imported | request["env"])
    log = os.open(Path(request["work"]) / "log.txt", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.close(log)
    os.close(nothing)


def _become_program(request: dict[str, Any], warden_pid: int) -> NoReturn:
    """In the forked process: a session of its own, the kernel's default signals, then the program. Does not return."""
    code = child.EXIT_FAILED
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.setsid()
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == warden_pid:  # otherwise the warden died before the line above could count
            _offer_to_oom_killer()
            code = child.run(request["program"], Path(request["work"]))
    except BaseException:  # nothing may climb into the frames of the warden or of the server it was forked from
        traceback.print_exc()
    finally:
        # No interpreter shutdown: the result is on disk, and a thread left behind by a library must not hold it up.
        with contextlib.suppress(OSError, ValueError):  # a full disk or a closed stream cannot change the outcome
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _offer_to_oom_killer() -> None:
    """Ask the kernel to end this tree, rather than the warden or the flow, when memory runs out (proc(5))."""
    with contextlib.suppress(OSError):  # no such file on macOS, or a container that forbids it
        Path("/proc/self/oom_score_adj").write_text("300", encoding="ascii")


def wake_on_signals() -> socket.socket:
    """A socket on which a byte arrives, the signal's number, for each SIGCHLD, SIGTERM and SIGINT."""
    reader, writer = socket.socketpair()
    reader.setblocking(False)
    writer.setblocking(False)
    signal.set_wakeup_fd(writer.detach(), warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    return reader


class Tree:
    """The program and all its descendants, from the warden's side.

    An order to stop is SIGTERM for all of them, or the signal ``gently`` for the program alone, which then ends its own
    children; SIGKILL follows after ``grace_s``.
    """

    def __init__(
        self,
        program_pid: int,
        lifeline: Channel,
        wake: socket.socket,
        *,
        gently: signal.Signals | None = None,
        grace_s: float = GRACE_S,
    ) -> None:
        self._program_pid = program_pid
        self._lifeline = lifeline
        self._wake = wake
        self._gently = gently
        self._grace_s = grace_s
        self._all_asked = False
        self._orphaned = False  # the flow is gone
        self._kill_at = math.inf
        self._report: dict[str, Any] = {"status": None, "max_rss": 0, "survivors": []}

    def tend(self) -> dict[str, Any]:
        """Wait for the program or an order to stop; then end what is left of the tree. The report."""
        while self._reap():
            if self._report["status"] is not None:
                self._stop_all()
            if time.monotonic() >= self._kill_at:
                rest = tree.descendants(os.getpid())
                tree.send_all(rest, signal.SIGKILL)
                if time.monotonic() >= self._kill_at + KILL_S:
                    self._report["survivors"] = [process.pid for process in rest]
                    break
            self._wait()
        return self._report

    def _reap(self) -> bool:
        """Collect every child that has ended, adopted ones included. False when no child is left."""
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == self._program_pid:
                self._report["status"] = os.waitstatus_to_exitcode(status)
                self._report["max_rss"] = usage.ru_maxrss * (1024 if ON_LINUX else 1)  # bytes on macOS

    def _wait(self) -> None:
        """Sleep until a signal or an order comes, or a tick once stopping has begun; carry the order out."""
        sources: list[socket.socket | Channel] = [self._wake] if self._orphaned else [self._wake, self._lifeline]
        ready, _, _ = select.select(sources, [], [], None if self._kill_at == math.inf else TICK_S)
        if self._wake in ready and set(self._wake.recv(4096)) & {signal.SIGTERM, signal.SIGINT}:
            self._stop()
        if self._lifeline in ready:
            try:
                if self._lifeline.receive(TICK_S) is not None:
                    self._stop()
            except EOFError:
                self._orphaned = True
                self._kill_at = time.monotonic()

    def _stop(self) -> None:
        """Carry out an order to stop, once."""
        if self._gently is None:
            self._stop_all()
        elif self._kill_at == math.inf:
            self._kill_at = time.monotonic() + self._grace_s
            program = [process for process in tree.descendants(os.getpid()) if process.pid == self._program_pid]
            tree.send_all(program, self._gently)

    def _stop_all(self) -> None:
        """SIGTERM for all, once; SIGKILL follows after the grace."""
        if not self._all_asked:
            self._all_asked = True
            self._kill_at = min(self._kill_at, time.monotonic() + (self._grace_s if self._gently is None else GRACE_S))
            tree.send_all(tree.descendants(os.getpid()), signal.SIGTERM)


if __name__ == "__main__":
    supervise(socket.socket(fileno=int(sys.argv[1])), {})
