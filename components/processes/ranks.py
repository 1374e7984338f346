"""Several ranks of one program: started together, ended together, one of them named when they fail.

::

    program (the coordinator)       run_ranks: starts the launcher or the ranks, watches, names the rank that failed first
      `-- rank 0, 1, ...            python -m r1flow.components.processes.ranks PROGRAM WORK, with RANK, WORLD_SIZE, LOCAL_RANK,
                                    MASTER_ADDR and MASTER_PORT; calls PROGRAM's main(spec) again, whose
                                    trainer joins the others (r1flow.components.training.engines.ranks.join)

The coordinator is itself a program under the keeper, so its warden owns the ranks, also those of torchrun, which lie in
sessions of their own. On one machine the ranks meet on a loopback socket that the coordinator has bound before it starts
them: no port is guessed and none is open to the network. Over machines, torchrun's rendezvous or DeepSpeed's hostfile.

Not covered: ranks that DeepSpeed has started on other machines over ssh end when their collectives fail or time out.
"""

import math
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from r1flow.components.core.errors import ConfigError, StageFailed
from r1flow.components.processes import child, outcome, tree
from r1flow.components.processes.deaths import Deaths
from r1flow.components.processes.environment import python_environment
from r1flow.components.processes.prctl import ON_LINUX, PR_SET_PDEATHSIG, prctl
from r1flow.components.processes.preload import python_command

POLL_S = 0.05
LAUNCHER_S = 2.0
"""How long a launcher may take to end its ranks when one has died."""
GRACE_S = 1.0
"""From SIGTERM to SIGKILL for the ranks that are left when one has died."""
PULLED_DOWN = re.compile(r"gloo|NCCL|TCPStore|Connection (reset|closed)|[Tt]imed out")
"""What the error of a rank says that has failed because another one is gone."""
LISTENER = "R1_MASTER_FD"  # engines.ranks reads it; importing it from there would bring torch along
"""Names the socket that rank 0 inherits (r1flow.components.training.engines.ranks reads it)."""


@dataclass(frozen=True)
class Layout:
    """Where ranks run: ``per_node`` on each of ``nodes`` machines.

    One machine needs nothing else. Several need ``rendezvous`` ("host:port", torchrun; this program runs once on each
    machine) or ``hostfile`` (DeepSpeed's, lines "host slots=N"; this program runs on one machine, which reaches the
    others by ssh; work lies on a file system they share). Raises :class:`ConfigError` for both or neither.
    """

    per_node: int
    nodes: int = 1
    rendezvous: str | None = None
    hostfile: Path | None = None

    def __post_init__(self) -> None:
        if self.rendezvous and self.hostfile:
            raise ConfigError("engine: rendezvous (torchrun) and hostfile (deepspeed) exclude each other; give one")
        if self.nodes > 1 and not (self.rendezvous or self.hostfile):
            raise ConfigError("engine.nodes: more than one machine needs engine.rendezvous or engine.hostfile")


def am_rank() -> bool:
    """Whether this process is one of a launcher's ranks, and not yet the coordinator that starts them."""
    return "RANK" in os.environ


def run_ranks(program: str, spec: dict[str, Any], *, work: Path, layout: Layout) -> dict[str, Any]:
    """Run ``program`` on ``spec`` in every rank; the metrics of the lowest rank of this machine.

    Each rank writes ``work/ranks/<rank>/{log.txt, exit.json}``. When one rank ends badly, all are ended within seconds.
    Raises the ``UserError`` that a rank raised, or ``StageFailed`` naming the rank that failed first, with its log's end.
    """
    child.check_name(program)
    home = work.resolve() / "ranks"
    home.mkdir(parents=True, exist_ok=True)
    for old in [*home.glob("*/exit.json"), *home.glob("*/process.json")]:
        old.unlink()
    outcome.write_json(home / "spec.json", spec)
    starts = {log.parent.name: log.stat().st_size for log in home.glob("*/log.txt")}
    if layout.rendezvous or layout.hostfile:
        status, gone = _launcher(launcher_command(program, home, layout), home)
        failed = _failed_by_launcher(home, status, gone)
    else:
        failed = _locally(program, home, layout.per_node)
    if failed is None:
        first = min((int(path.parent.name) for path in home.glob("*/exit.json")), default=0)
        failed = (first, 0)
    return _result(program, home, failed, starts)


def launcher_command(program: str, home: Path, layout: Layout) -> list[str]:
    """The argv of torchrun (``rendezvous``) or of DeepSpeed's launcher (``hostfile``)."""
    if layout.hostfile:
        launcher = ["deepspeed.launcher.runner", "--hostfile", str(layout.hostfile), "--module"]
    else:
        launcher = ["torch.distributed.run", "--nnodes", str(layout.nodes), "--nproc-per-node", str(layout.per_node)]
        launcher += ["--rdzv-backend", "c10d", "--rdzv-endpoint", str(layout.rendezvous), "--rdzv-id", home.parent.name]
        launcher += ["--max-restarts", "0", "--module"]
    return python_command(*launcher, "r1flow.components.processes.ranks", program, str(home))


def _locally(program: str, home: Path, count: int) -> tuple[int, int] | None:
    """Start ``count`` ranks here and wait for all; the rank that failed first and its status, or None."""
    processes: list[subprocess.Popen[bytes]] = []
    with closing(socket.socket()) as listener, closing(Deaths()) as deaths:
        listener.bind(("127.0.0.1", 0))
        listener.listen(count)
        try:
            for rank in range(count):
                processes.append(_start_rank(program, home, rank, count, listener))
            listener.close()  # rank 0 holds it now: its death must be seen by the others
            rank_of = {process.pid: rank for rank, process in enumerate(processes)}
            deaths.look(rank_of)  # before the first is waited for: what is reaped can no longer be watched
            while True:
                running = any(process.poll() is None for process in processes)
                ended = [rank_of[pid] for pid in deaths.look(rank_of)]
                if failed := {rank: int(processes[rank].returncode) for rank in ended if processes[rank].poll()}:
                    return _first(home, failed)
                if not running:
                    return None
                time.sleep(POLL_S)
        finally:
            _end(processes)


def _start_rank(program: str, home: Path, rank: int, count: int, listener: socket.socket) -> subprocess.Popen[bytes]:
    """One rank on this machine, alone with its peers on the loopback interface."""
    loopback = "lo" if ON_LINUX else "lo0"
    env = python_environment() | {
        "RANK": str(rank),
        "WORLD_SIZE": str(count),
        "LOCAL_RANK": str(rank),
        "LOCAL_WORLD_SIZE": str(count),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(listener.getsockname()[1]),
        "GLOO_SOCKET_IFNAME": loopback,
        "NCCL_SOCKET_IFNAME": loopback,
        LISTENER: str(listener.fileno()),
    }
    return subprocess.Popen(
        python_command("r1flow.components.processes.ranks", program, str(home)),
        env=env,
        pass_fds=[listener.fileno()] if rank == 0 else [],
        stdin=subprocess.DEVNULL,
    )


def _launcher(command: list[str], home: Path) -> tuple[int, list[int]]:
    """Run a launcher to its end; its exit code, and the ranks of this machine that were seen to be gone first.

    DeepSpeed's launcher takes 20 seconds to end the others when a rank has died; it is given two.
    """
    gone: list[int] = []
    end_by = math.inf
    with (home / "launcher.txt").open("wb") as output, closing(Deaths()) as deaths:
        process = subprocess.Popen(
            command, env=python_environment(), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            while process.poll() is None and time.monotonic() < end_by:
                if not gone and (gone := _gone(home, deaths)):
                    end_by = time.monotonic() + LAUNCHER_S
                time.sleep(POLL_S)
        finally:
            _end([process])
    return process.returncode or (1 if gone else 0), gone


def _gone(home: Path, deaths: Deaths) -> list[int]:
    """The ranks of this machine that no longer run and have not ended well, in the order of their ends."""
    told = {path.parent: outcome.read_json(path) for path in home.glob("*/process.json")}
    here = {told[directory]["pid"]: directory for directory in told if told[directory]["host"] == socket.gethostname()}
    ended = [here[pid] for pid in deaths.look(here)]
    return [int(directory.name) for directory in ended if not _well(directory / "exit.json")]


def _well(path: Path) -> bool:
    """Whether this outcome is one with metrics."""
    return path.exists() and bool(outcome.read_json(path)["ok"])


def _end(processes: list[subprocess.Popen[bytes]]) -> None:
    """SIGTERM, a second, SIGKILL for what still runs of ``processes`` and their descendants."""
    running = [psutil.Process(p.pid) for p in processes if p.poll() is None]
    running += [below for process in running for below in tree.descendants(process.pid)]
    tree.send_all(running, signal.SIGTERM)
    _, left = psutil.wait_procs(running, timeout=GRACE_S)
    tree.send_all(left, signal.SIGKILL)
    psutil.wait_procs(left, timeout=GRACE_S)


def _first(home: Path, statuses: dict[int, int]) -> tuple[int, int] | None:
    """Of the ranks that failed, in the order of their ends, the one that pulled the others down, with its status: one with
    an error of its own, else the first that was killed and left no outcome, else the first whose collective failed."""

    def order(rank: int) -> tuple[int, int]:
        left = home / str(rank) / "exit.json"
        if not left.exists():
            return 1, 0
        message = str(outcome.read_json(left).get("message", ""))
        return 2 if PULLED_DOWN.search(message) else 0, left.stat().st_mtime_ns

    rank = min(statuses, key=order, default=None)
    return None if rank is None else (rank, statuses[rank])


def _failed_by_launcher(home: Path, status: int, gone: list[int]) -> tuple[int, int] | None:
    """The rank that torchrun names as the root cause, or else by what was seen here; and an exit status."""
    if status == 0:
        return None
    text = (home / "launcher.txt").read_text(encoding="utf-8", errors="replace")
    if found := re.search(r"Root Cause.*?rank\s*:\s*(\d+).*?exitcode\s*:\s*(-?\d+)", text, re.DOTALL):
        return int(found[1]), int(found[2])
    if gone:
        return _first(home, dict.fromkeys(gone, status))
    left = {int(log.parent.name): log.with_name("exit.json") for log in home.glob("*/log.txt")}
    bad = {rank: status for rank, path in left.items() if not _well(path)}
    if not bad:
        raise StageFailed(f"the launcher ended with exit code {status}\n{outcome.log_tail(home / 'launcher.txt')}")
    return _first(home, bad)


def _result(program: str, home: Path, ended: tuple[int, int], starts: dict[str, int]) -> dict[str, Any]:
    """The rank's metrics, or its error under its name."""
    rank, status = ended
    directory = home / str(rank)
    if not (directory / "log.txt").exists():
        raise StageFailed(f"rank {rank} of {program} ended with status {status} before it could open its log")
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * (1024 if ON_LINUX else 1)
    report = {"status": status, "max_rss": largest}
    return outcome.read_metrics(f"rank {rank} of {program}", directory, report, starts.get(str(rank), 0))


def main(program: str, home: Path) -> int:
    """In a rank: log to ``home/<rank>/log.txt``, then run the program on ``home/spec.json``. The exit code."""
    if ON_LINUX:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # a launcher that is killed takes its ranks with it
    directory = home / os.environ["RANK"]
    directory.mkdir(parents=True, exist_ok=True)
    outcome.write_json(directory / "spec.json", outcome.read_json(home / "spec.json"))
    outcome.write_json(directory / "process.json", {"host": socket.gethostname(), "pid": os.getpid()})
    log = os.open(directory / "log.txt", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    for number in (1, 2):
        os.dup2(log, number)
    os.close(log)
    return child.run(program, directory)


if __name__ == "__main__":
    code = main(sys.argv[-2], Path(sys.argv[-1]))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # a thread that a library has left behind must not hold up the others
