"""A pure function mapped over shards by processes that may die.

Results come in the order of the tasks, whatever the number of workers. A worker that is killed takes its pool along
(concurrent.futures); the tasks without a result go to a new pool. ``DEATHS`` pools in a row that finish nothing are an
error that names the tasks.
"""

import logging
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from r1flow.components.core.errors import R1Error
from r1flow.components.processes.prctl import PR_SET_PDEATHSIG, prctl

Task = TypeVar("Task")
Result = TypeVar("Result")
DEATHS = 3
SHARD_S = 600.0
"""The longest that a pool may go without finishing any shard."""

logger = logging.getLogger(__name__)


def available() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def map_shards(function: Callable[[Task], Result], tasks: Sequence[Task], workers: int) -> Iterator[Result]:
    """``function`` of every task, in order; in this process where one worker is enough.

    ``function`` is a module's own and may be called again for a task whose worker died. What it raises is raised here,
    for the first task that raises.
    """
    if min(workers, len(tasks)) <= 1:
        yield from map(function, tasks)
        return
    done: dict[int, Future[Result]] = {}
    deaths = given = 0
    while given < len(tasks):
        left = [place for place in range(given, len(tasks)) if place not in done]
        before = len(left)
        try:
            for place, future in _one_pool(function, tasks, left, workers):
                done[place] = future
                before = 0
                while given in done:
                    yield done.pop(given).result()
                    given += 1
        except BrokenProcessPool as error:
            deaths = deaths + 1 if before else 0
            if deaths >= DEATHS:
                names = ", ".join(str(tasks[place]) for place in left[:workers])
                raise R1Error(
                    f"{deaths} pools of workers died in a row over {names}: out of memory, or killed; free memory and run again"
                ) from error
            logger.warning("a worker died; %d of %d shards are left for a new pool", len(left), len(tasks))


def _one_pool(
    function: Callable[[Task], Result], tasks: Sequence[Task], left: Sequence[int], workers: int
) -> Iterator[tuple[int, Future[Result]]]:
    """(place, outcome) as they come, until all are done or the pool breaks. Few tasks are under way at a time."""
    waiting = iter(left)
    under_way: dict[Future[Result], int] = {}
    # spawn: a fork would copy locks that other threads of this process hold
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _settle, (os.getpid(),)) as pool:
        while True:
            while len(under_way) < 2 * workers and (place := next(waiting, None)) is not None:
                under_way[pool.submit(function, tasks[place])] = place
            if not under_way:
                return
            finished = wait(under_way, SHARD_S, FIRST_COMPLETED).done
            if not finished:
                for process in list((pool._processes or {}).values()):
                    process.kill()
                raise R1Error(f"no shard was finished within {SHARD_S:g} s: a worker hangs; run again")
            broken = None
            for future in sorted(finished, key=under_way.__getitem__):
                place, error = under_way.pop(future), future.exception()
                if isinstance(error, BrokenProcessPool):
                    broken = error
                else:
                    yield place, future
            if broken is not None:
                raise broken


def _settle(parent: int) -> None:
    """A worker ends with the process that started it, and leaves Ctrl-C to it."""
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the line above
        os._exit(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
