"""Looking at processes that may end at any moment: one that has vanished is gone, and a zombie is dead."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

import psutil

T = TypeVar("T")


def lives(process: int | psutil.Process) -> bool:
    """Whether it runs. A pid that another process has been given since ``process`` was seen is not it."""
    try:
        process = psutil.Process(process) if isinstance(process, int) else process
        return process.is_running() and process.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.NoSuchProcess:
        return False


def alive(pids: Iterable[int]) -> list[int]:
    """Those of ``pids`` that run."""
    return [pid for pid in pids if lives(pid)]


def family(pid: int) -> list[psutil.Process]:
    """A process and its living descendants; nothing where it has ended."""
    try:
        return [process for process in (psutil.Process(pid), *descendants(pid)) if lives(process)]
    except psutil.NoSuchProcess:
        return []


def descendants(pid: int | None = None) -> list[psutil.Process]:
    """The living descendants of a process, this one unless told otherwise, parents first; none where it has ended."""
    return _living(pid, recursive=True)


def children(pid: int | None = None) -> list[psutil.Process]:
    """As ``descendants``, of the next generation alone."""
    return _living(pid, recursive=False)


def told(processes: Iterable[psutil.Process], question: Callable[[psutil.Process], T]) -> dict[psutil.Process, T]:
    """What every process says of itself, without those that end before they have answered.

    psutil.AccessDenied of a process that is not ours to ask.
    """
    answers = {}
    for process in processes:
        try:
            answer = question(process)
        except psutil.NoSuchProcess:  # psutil.ZombieProcess is one
            continue
        if lives(process):  # of a zombie psutil may give an empty answer
            answers[process] = answer
    return answers


def with_variable(name: str, value: str) -> dict[psutil.Process, list[str]]:
    """Command lines of all processes that have inherited an environment variable, whatever their parents and sessions are."""

    def command(process: psutil.Process) -> list[str]:
        try:
            return list(process.cmdline()) if process.environ().get(name) == value else []
        except psutil.AccessDenied:  # somebody else's
            return []

    return {process: line for process, line in told(psutil.process_iter(), command).items() if line}


def survivors(processes: Iterable[psutil.Process], within_s: float) -> list[psutil.Process]:
    """Those that still run so many seconds later; returns as soon as none does."""
    deadline = time.monotonic() + within_s
    while (left := [process for process in processes if lives(process)]) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left


def kill(pids: Iterable[int], number: int = signal.SIGKILL) -> None:
    """Send a signal to each; one that has ended meanwhile needs none."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def wait_until(condition: Callable[[], object], limit_s: float = 60.0, what: str = "waited too long") -> None:
    """Look again and again until ``condition`` holds; AssertionError with ``what`` where it does not in time."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def _living(pid: int | None, *, recursive: bool) -> list[psutil.Process]:
    try:
        found = psutil.Process(pid).children(recursive=recursive)
    except psutil.NoSuchProcess:
        return []
    return [process for process in found if lives(process)]
