"""Score completions in worker processes that can be killed, so that no answer can stop, crash or mislead its caller.

::

    any thread, event loop or task     ScoringPool.submit(jobs) -> Batch; Batch.result(), or await it
      |  queue
    one dispatcher thread              dispatcher: moves bytes, watches clocks, kills, replaces; it judges nothing
      |  frames of JSON over pipes     wire
    workers                            worker: fresh interpreters, one item at a time, bounded memory

What each end of a worker means for the item it had in hand (``verdicts``). The law behind it: no completion can bring
about INFRA or an unusable row, because both are left out of training, and a model that can have its bad answers left out
will. What a completion provokes earns 0; None needs a cause that no completion controls.

- Over its clock (``clock.wall_seconds``, from the hand-over; killed with its group): TIMEOUT. Where the worker had the
  processor for less than half of that time, the machine was slow and not the answer: up to ``STARVED_TRIES`` tries.
- ``MemoryError``: MEMORY. Where the worker had judged others before, whose leavings may be to blame, once more in a
  fresh worker first.
- The worker crashed, left, or was killed with SIGKILL while the kernel was killing for memory: the item is tried once
  more, in a fresh worker that has nothing else to do. Dead again: the completion's doing, WRONG or MEMORY.
- The worker was killed by a signal that neither it nor the OOM killer sends: somebody outside did it, an operator or an
  orchestrator. The item is tried again up to ``OUTSIDE_TRIES`` times and then INFRA, which mathematics cannot provoke: it
  makes the verifier send no signals. A program might, where it runs without isolation, so with it every death counts as
  a crash.
- Before it comes to the completion, a worker judges a trivial answer against the gold (a new gold only). What goes wrong
  there (clock, memory, crash, exception) is the gold's doing: the row is unusable, and later items with this gold are
  told so at once.
- Workers that cannot be started, repeatedly and with none running: INFRA for all that waits. No completion can have a
  hand in it, as one that is being judged has a worker.

The kernel kills the workers when the dispatcher's thread ends, however this process dies (``worker``).
"""

import os
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from r1flow.components.rewards.base import Score
from r1flow.components.rewards.pool.batch import Batch, Job
from r1flow.components.rewards.pool.clock import SECONDS
from r1flow.components.rewards.pool.dispatcher import CLOSE_S, Dispatcher

GiB = 2**30
JUDGE = "r1flow.components.rewards.accuracy:full_score"

__all__ = ["Batch", "Job", "ScoringPool"]


class ScoringPool:
    """``workers`` processes that judge; any number of threads, event loops and Prefect tasks may share one pool.

    ``seconds`` is the wall clock of an answer in mathematics (programs have their tests' own), ``memory_bytes`` the
    address space of a worker, ``judge`` the ``module:function`` that workers import, from a completion and a row to a
    score. Nothing is started before the first job; importing the verifier then takes a second, on no item's clock.
    Callers take turns item by item. Raises ``ValueError`` for less than one worker or no time.
    """

    def __init__(
        self, workers: int, *, seconds: float = SECONDS, memory_bytes: int = 2 * GiB, judge: str = JUDGE
    ) -> None:
        if workers < 1 or not seconds > 0:
            raise ValueError(f"a pool of {workers} workers with {seconds} s per answer scores nothing")
        self._settings = (workers, seconds, memory_bytes, judge)
        self._dispatcher: Dispatcher | None = None
        self._thread: threading.Thread | None = None
        self._closed = False
        self._lock = threading.Lock()
        self._pid = os.getpid()

    def submit(self, jobs: Sequence[Job]) -> Batch:
        """Queue jobs and return at once. Raises ``RuntimeError`` where the pool is closed or belongs to another process."""
        if self._pid != os.getpid():
            raise RuntimeError("a scoring pool does not cross a fork: make one in this process")
        batch = Batch(jobs)
        with self._lock:
            if self._closed:
                raise RuntimeError("the scoring pool is closed")
            if self._dispatcher is None:
                self._dispatcher = Dispatcher(*self._settings)
                self._thread = threading.Thread(target=self._dispatcher.run, name="scoring-pool", daemon=True)
                self._thread.start()
            self._dispatcher.add(batch)
        return batch

    def score(self, jobs: Sequence[Job]) -> list[Score]:
        """Queue jobs and wait for their scores, in their order."""
        return self.submit(jobs).result()

    def close(self) -> None:
        """End the workers at once. Batches that are not done raise ``RuntimeError``."""
        if self._pid != os.getpid():
            return
        with self._lock:
            self._closed = True
        if self._dispatcher is not None and self._thread is not None:
            self._dispatcher.stop()
            self._thread.join(CLOSE_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
