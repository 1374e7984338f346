"""Run one program, or a judge and a candidate, from the gate to the end: the loop that both kinds of sandbox share."""

import contextlib
import logging
import select
import time
from collections.abc import Callable, Mapping, Sequence

from r1flow.components.processes.sandbox import ending
from r1flow.components.processes.sandbox.base import MiB, Outcome, Program
from r1flow.components.processes.sandbox.descriptors import close_all, pipe
from r1flow.components.processes.sandbox.launcher import PEER_READ_FD, PEER_WRITE_FD
from r1flow.components.processes.sandbox.process import Process, Reason

START_S = 20.0
"""The longest a start may take before it counts as failed."""
TRIES = 4
"""Starts of one call, all of them before a line of the program has run."""

_LEAST = {
    "cpu_seconds": 1,
    "memory_bytes": 16 * MiB,
    "processes": 1,
    "scratch_bytes": 4096,
    "file_bytes": 1024,
    "output_bytes": 1,
    "open_files": 16,
}
"""With less than this the shell that starts the program could not run."""

Start = Callable[[Program, Mapping[int, int]], Process]
"""Starts a program behind its gate, with the descriptors that it sees at 3 and 4. OSError where that fails."""

logger = logging.getLogger(__name__)


def run(start: Start, programs: Sequence[Program]) -> list[Outcome]:
    """Outcomes of one program, or of the judge and the candidate, in order.

    A failed start is tried again after 0.05, 0.2 and 0.8 s, then it is End.INFRA for all: nothing has run by then.
    """
    for program in programs:
        _check(program)
    problem = ""
    for attempt in range(TRIES):
        if attempt:
            time.sleep(0.05 * 4 ** (attempt - 1))
        with contextlib.ExitStack() as stack:
            try:
                processes = _start(start, programs, stack)
                problem = _open_gates(processes)
            except OSError as error:  # no descriptors, processes, memory or slots: the machine, not the program
                problem = str(error)
            else:
                if not problem:
                    _watch(processes)
                    return [ending.outcome(process) for process in processes]
        logger.warning("a sandbox did not start (try %d of %d): %s", attempt + 1, TRIES, problem)
    return [ending.infra(problem) for _ in programs]


def _check(program: Program) -> None:
    """What can never run is the caller's mistake, not the machine's: ValueError, so that it cannot pass for INFRA."""
    size = sum(len(argument.encode("utf-8", "surrogatepass")) for argument in program.argv)
    if not program.argv or size > 65536 or any("\0" in argument for argument in program.argv):
        raise ValueError("Program.argv: 1 byte to 64 KiB in all, without null bytes; what is larger belongs into files")
    if len(program.files) > 128:
        raise ValueError(f"Program.files: {len(program.files)} files, at most 128")
    limits = program.limits
    if not 0 < limits.wall_seconds < 86400:
        raise ValueError(f"Limits.wall_seconds: expected more than 0 and less than a day, got {limits.wall_seconds!r}")
    for field, least in _LEAST.items():
        value = getattr(limits, field)
        if not isinstance(value, int) or value < least:
            raise ValueError(f"Limits.{field}: expected a whole number of at least {least}, got {value!r}")
    for name in program.files:
        parts = name.split("/")
        if "\0" in name or not all(parts) or "." in parts or ".." in parts:
            raise ValueError(f"Program.files: {name!r} is no plain relative name")


def _start(start: Start, programs: Sequence[Program], stack: contextlib.ExitStack) -> list[Process]:
    """Start all of them; two are joined by two pipes, of which no end stays open here."""
    peers: list[dict[int, int]] = [{} for _ in programs]
    ends: list[int] = []
    try:
        if len(programs) == 2:
            for reader, writer in ((0, 1), (1, 0)):
                reading, writing = pipe()
                ends += [reading, writing]
                peers[reader][PEER_READ_FD] = reading
                peers[writer][PEER_WRITE_FD] = writing
        processes = []
        for program, joined in zip(programs, peers, strict=True):
            processes.append(start(program, joined))
            stack.callback(processes[-1].close)
        return processes
    finally:
        close_all(ends)


def _open_gates(processes: Sequence[Process]) -> str:
    """Wait until every sandbox stands, then let the programs run. What went wrong, or nothing."""
    deadline = time.monotonic() + START_S
    while waiting := [process for process in processes if not process.ready]:
        left = deadline - time.monotonic()
        if left <= 0:
            return f"no sandbox within {START_S:g} s"
        for process, name in _ready(waiting, left):
            if name == "end":
                process.reap()
                if not process.ready:
                    said = bytes(process.output["stderr"]).decode(errors="replace").strip()
                    return said[-500:] or f"the launcher ended with {process.returncode}"
            elif name in process.output and process.ended_at is None:
                process.read(name)
    return "" if all([process.release() for process in processes]) else "a launcher was killed before its program began"


def _watch(processes: Sequence[Process]) -> None:
    """Move bytes and watch clocks until all have ended. The first of two is the judge: with it the candidate ends."""
    while running := [process for process in processes if process.ended_at is None]:
        left = min(process.seconds_left() for process in running)
        for process, name in _ready(running, left) if left > 0 else ():
            if name == "end":
                process.reap()
            elif process.ended_at is None:
                process.read(name)
        for process in running:
            reason = _reason(process, processes[0]) if process.ended_at is None else None
            if reason is not None:
                process.kill(reason)
                process.reap()


def _reason(process: Process, judge: Process) -> Reason | None:
    """Why a running program has to be killed now, if it has."""
    if process.truncated:
        return "output"
    if process.seconds_left() <= 0:
        return "timeout"
    return "judge" if judge.ended_at is not None else None


def _ready(processes: Sequence[Process], seconds: float) -> list[tuple[Process, str]]:
    """Channels with something to read after at most ``seconds``; a process's end comes after its bytes."""
    watched = {fd: (process, name) for process in processes for fd, name in process.watched().items()}
    poll = select.poll()
    for fd in watched:
        poll.register(fd, select.POLLIN)
    found = [watched[fd] for fd, _ in poll.poll(max(seconds, 0.0) * 1000)]
    return sorted(found, key=lambda item: item[1] == "end")
