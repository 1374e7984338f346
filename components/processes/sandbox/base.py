"""What every sandbox takes and gives: a program with its limits in, what became of it out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

MiB = 2**20


@dataclass(frozen=True)
class Limits:
    """Seconds of wall and of processor time, bytes, and counts.

    Memory, processor time and open files are per process, ``output_bytes`` per channel (stdout, stderr, report);
    ``scratch_bytes`` is what a program may write to /tmp, beside its files. ``processes`` counts threads too.
    """

    wall_seconds: float = 10.0
    cpu_seconds: int = 10
    memory_bytes: int = 512 * MiB
    processes: int = 16
    scratch_bytes: int = 32 * MiB
    file_bytes: int = 16 * MiB
    output_bytes: int = 64 * 1024
    open_files: int = 64
    address_bytes: int | None = None
    """RLIMIT_AS, default ``memory_bytes``. JavaScript engines reserve far more than they use."""


class End(StrEnum):
    """How a program ended. INFRA alone says nothing about the program: the sandbox itself could not be made."""

    EXITED = "EXITED"
    TIMEOUT = "TIMEOUT"
    MEMORY = "MEMORY"
    INFRA = "INFRA"


@dataclass(frozen=True)
class Program:
    """What to run: a command line, files for its working directory (relative names), standard input, limits.

    The command line is absolute or found in /usr/local/bin, /usr/bin and /bin (components.processes.sandbox.interpreters names
    what is there); at most 64 KiB, larger texts go into files. The program may change its files. Its environment is
    PATH, LANG and HOME (the working directory).
    """

    argv: Sequence[str]
    files: Mapping[str, bytes] = field(default_factory=dict)
    stdin: bytes = b""
    limits: Limits = Limits()


@dataclass(frozen=True)
class Outcome:
    """``returncode`` is negative for a signal, None where there was none to see. Outputs are cut at ``output_bytes``:
    a program that writes more is killed, ``truncated`` and EXITED without a return code.

    ``report`` is what the program wrote to file descriptor 5, the only channel that a verdict may come from.
    """

    end: End
    returncode: int | None
    stdout: bytes
    stderr: bytes
    report: bytes
    seconds: float
    truncated: bool = False
    detail: str = ""


class Sandbox(Protocol):
    """Runs programs; nothing of them is left when a call returns."""

    name: str

    def run(self, program: Program) -> Outcome:
        """Run one program to its end or its limits. Safe from any thread; ValueError for what can never run."""
        ...

    def run_connected(self, judge: Program, candidate: Program) -> tuple[Outcome, Outcome]:
        """Run two programs in two sandboxes, joined by two pipes: each reads its peer from fd 3, writes to it on fd 4.

        When one ends, the other sees end-of-file; when the judge ends, the candidate is killed.
        """
        ...
