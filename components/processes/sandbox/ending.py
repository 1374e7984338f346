"""What became of a program, as far as it can be known from outside.

- TIMEOUT: our kill at ``wall_seconds``; SIGXCPU at ``cpu_seconds``; SIGKILL after at least ``cpu_seconds`` (a program
  that ignores SIGXCPU is killed by the kernel a second later).
- MEMORY: any other SIGKILL that is not ours (the kernel's, out of memory; ``kill(getpid(), 9)`` and ``exit(137)`` look
  the same), or a failing program whose standard error ends in its runtime's words for it. The limit itself is seen by
  the program alone: malloc fails, and a program may go on from there. A program may feign these words; it fails anyway.
- EXITED: the rest, with its return code; without one where it was killed for too much output or with its judge.
- INFRA: nothing of the program has run.
"""

import signal

from r1flow.components.processes.sandbox.base import End, Outcome
from r1flow.components.processes.sandbox.process import Process

_OUT_OF_MEMORY = (
    b"MemoryError",
    b"std::bad_alloc",
    b"heap out of memory",
    b"allocation failed",
    b"Cannot allocate memory",
    b"out of memory",
)
_TAIL = 4096


def infra(problem: str) -> Outcome:
    """No sandbox could be made."""
    return Outcome(End.INFRA, None, b"", b"", b"", 0.0, detail=problem)


def outcome(process: Process) -> Outcome:
    """The outcome of a process that was released and reaped."""
    assert process.released_at is not None
    assert process.ended_at is not None
    seconds = process.ended_at - process.released_at
    end, detail = _end(process, seconds)
    return Outcome(
        end=end,
        returncode=process.returncode,
        stdout=bytes(process.output["stdout"]),
        stderr=bytes(process.output["stderr"]),
        report=bytes(process.output["report"]),
        seconds=seconds,
        truncated=process.truncated,
        detail=detail,
    )


def _end(process: Process, seconds: float) -> tuple[End, str]:
    limits, code = process.program.limits, process.returncode
    if process.reason == "timeout":
        return End.TIMEOUT, f"killed after {limits.wall_seconds:g} s"
    if process.reason == "judge":
        return End.EXITED, "killed when its judge ended"
    if process.truncated:
        return End.EXITED, f"more than {limits.output_bytes} bytes of output"
    if code == -signal.SIGXCPU or (code == -signal.SIGKILL and seconds >= limits.cpu_seconds):
        return End.TIMEOUT, f"more than {limits.cpu_seconds} s of processor time"
    if code == -signal.SIGKILL:
        return End.MEMORY, "killed from outside, most likely for want of memory"
    tail = bytes(process.output["stderr"][-_TAIL:])
    if code != 0 and any(words in tail for words in _OUT_OF_MEMORY):
        return End.MEMORY, f"out of memory under {limits.memory_bytes} bytes"
    return End.EXITED, ""
