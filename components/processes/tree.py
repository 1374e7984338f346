"""Finding and signalling the processes of a tree."""

import contextlib
import os
import signal
from collections.abc import Iterable

import psutil


def descendants(pid: int) -> list[psutil.Process]:
    """Every living descendant of ``pid``, in whatever session or group; none where ``pid`` is gone."""
    try:
        found: list[psutil.Process] = psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    return found


def send_all(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    """Send one signal to each process. psutil checks the start time first, so a reused pid is never hit."""
    for process in processes:
        # Gone is what was wanted; a process of another user shows up among the survivors.
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            process.send_signal(number)


def kill_all(pids: Iterable[int]) -> None:
    """SIGKILL for ``pids``, their descendants and the members of the sessions they lead.

    The second line, for a warden that is gone or does not answer; it cannot find a descendant that has a session of
    its own and whose ancestors have exited.
    """
    leaders = set(pids)
    doomed = [process for pid in leaders for process in descendants(pid)]
    for process in psutil.process_iter():
        with contextlib.suppress(ProcessLookupError, PermissionError):  # exited meanwhile, or not ours to look at
            if os.getsid(process.pid) in leaders:
                doomed.append(process)
    send_all(doomed, signal.SIGKILL)
