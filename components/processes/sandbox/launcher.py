"""The few lines of shell that stand between isolation and program: limits, file descriptors, and a gate.

The gate closes two gaps. Nothing of the program runs before the caller knows that isolation stands (a failure before
that is End.INFRA, a failure after it is the program's own), and nothing of it runs where the caller died in the
meantime: the shell reads end-of-file instead of the word and leaves.
"""

import resource
from collections.abc import Iterable, Mapping

from r1flow.components.processes.sandbox.base import Limits

REPORT_FD = 5
"""The report channel of every program."""
PEER_READ_FD = 3
PEER_WRITE_FD = 4
READY = b"ready\n"
"""What the shell writes to the report channel before it waits at the gate."""
FIRST_PASSED_FD = 64
"""Descriptors are handed over at numbers from here on, so that none lies where the program expects another."""


def command(
    argv: Iterable[str], limits: Limits, places: Mapping[int, int], gate: int, passed: Iterable[int], nproc: int | None
) -> list[str]:
    """The shell's command line for ``argv``.

    ``places`` says which passed descriptor the program sees at which number, ``gate`` is where the word to go comes
    from, ``passed`` are all descriptors to close before the program starts, ``nproc`` is RLIMIT_NPROC (None: leave it).
    """
    moves = " ".join(f"{seen}<&{given}" for seen, given in places.items())
    closed = " ".join(f"{fd}<&-" for fd in sorted({*passed, gate}))
    steps = [
        f"exec {moves}",
        *_limits(limits, nproc),
        f"echo {READY.decode().strip()} >&{REPORT_FD}",
        f"read -r <&{gate}",
        f"exec {closed}",
        "unset PWD OLDPWD SHLVL REPLY",
        'exec -- "$@"',
    ]
    return ["/bin/bash", "--norc", "--noprofile", "-c", " && ".join(steps), "sandbox", *argv]


def _limits(limits: Limits, nproc: int | None) -> list[str]:
    """``ulimit`` commands, hard and soft alike; processor time gives SIGXCPU first and SIGKILL a second later.

    None goes beyond what this process is held to itself: nobody but root could raise that again.
    """
    address = max(limits.address_bytes or 0, limits.memory_bytes)
    hard_cpu = _allowed(resource.RLIMIT_CPU, limits.cpu_seconds + 1)
    steps = [
        f"ulimit -d {_allowed(resource.RLIMIT_DATA, limits.memory_bytes) // 1024}",
        f"ulimit -v {_allowed(resource.RLIMIT_AS, address) // 1024}",
        f"ulimit -t {hard_cpu}",
        f"ulimit -S -t {min(limits.cpu_seconds, hard_cpu)}",
        f"ulimit -f {_allowed(resource.RLIMIT_FSIZE, max(limits.file_bytes, 1024)) // 1024}",
        f"ulimit -n {_allowed(resource.RLIMIT_NOFILE, limits.open_files)}",
        "ulimit -c 0",
    ]
    return steps if nproc is None else [*steps, f"ulimit -u {_allowed(resource.RLIMIT_NPROC, nproc)}"]


def _allowed(kind: int, wanted: int) -> int:
    hard = resource.getrlimit(kind)[1]
    return wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
