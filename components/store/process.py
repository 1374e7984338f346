"""Which process on which machine: enough to tell a living lease holder from a dead one."""

import functools
import os
import socket
from pathlib import Path

import psutil


@functools.cache
def this_machine() -> str:
    """Host name, boot and process namespace: equal for two processes exactly when they see each other's pids.

    Containers may share a host name without sharing pids, so the host name alone proves nothing. Where there is no
    ``/proc`` the boot time stands in.
    """
    parts = [socket.gethostname()]
    try:
        parts += [Path("/proc/sys/kernel/random/boot_id").read_text().strip(), os.readlink("/proc/self/ns/pid")]
    except OSError:  # not Linux, or a sandbox that hides it
        parts.append(str(int(psutil.boot_time())))
    return " ".join(parts)


def started_at(pid: int) -> float:
    """Seconds since the epoch at which process ``pid`` started."""
    return float(psutil.Process(pid).create_time())


def is_alive(pid: int, started: float) -> bool:
    """Whether the process that had ``pid`` and began at ``started`` still runs; a zombie does not.

    Start times are read against the wall clock, which may be stepped: two seconds of difference count as the same.
    """
    try:
        process = psutil.Process(pid)
        return bool(process.status() != psutil.STATUS_ZOMBIE and abs(process.create_time() - started) < 2.0)
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:  # it is there, and not ours to look at
        return True
