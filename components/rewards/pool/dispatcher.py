"""The pool's one thread: it moves bytes between queue and workers, watches the clocks, kills and replaces.

It never waits for anything but ``select``, and every wait has a time-out. A slot is the place of one worker; the item
of a worker that died stays with its slot, whose next worker is fresh and takes that item first.
"""

import contextlib
import itertools
import logging
import os
import selectors
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

from r1flow.components.core.verdict import Verdict
from r1flow.components.rewards.base import Score
from r1flow.components.rewards.pool.batch import Batch
from r1flow.components.rewards.pool.clock import wall_seconds
from r1flow.components.rewards.pool.golds import Golds
from r1flow.components.rewards.pool.process import Death, WorkerProcess
from r1flow.components.rewards.pool.turns import Item, Turns
from r1flow.components.rewards.pool.verdicts import after_death, failed, over_the_clock
from r1flow.components.rewards.pool.wire import MAX_COMPLETION, encode, read_score

IDLE_S = 10.0
REAP_S = 0.005
EXIT_S = 2.0
CLOSE_S = 10.0
START_TRIES = 5
BACKOFF_S = 0.1

logger = logging.getLogger(__name__)


@dataclass(eq=False)
class _Slot:
    worker: WorkerProcess | None = None
    item: Item | None = None
    retry: Item | None = None
    number: int = -1  # of the try in hand; no other try, of any worker, has it
    seconds: float = 0.0
    began: float = 0.0
    gold_passed: bool = False
    ended: bool = False  # the worker's pipe is at its end; its exit code is still to come
    start_after: float = 0.0


class Dispatcher:
    """``run`` is the thread; ``add`` and ``stop`` may be called from any other."""

    def __init__(self, workers: int, seconds: float, memory_bytes: int, judge: str) -> None:
        self._seconds = seconds
        self._memory_bytes = memory_bytes
        self._judge = judge
        self._slots = [_Slot() for _ in range(workers)]
        self._lock = threading.Lock()  # guards what callers see: the three lines below
        self._incoming: deque[Batch] = deque()
        self._stopping = False
        self._over: Exception | None = None
        self._turns = Turns()
        self._open: set[Batch] = set()
        self._dying: list[WorkerProcess] = []  # killed, to be collected
        self._numbers = itertools.count()
        self._golds = Golds()
        self._failed_starts = 0
        self._selector = selectors.DefaultSelector()
        self._wake_reader, self._wake_writer = os.pipe()
        for end in (self._wake_reader, self._wake_writer):
            os.set_blocking(end, False)
        self._selector.register(self._wake_reader, selectors.EVENT_READ)

    def add(self, batch: Batch) -> None:
        """Queue a batch. Raises ``RuntimeError`` where the dispatcher has ended."""
        with self._lock:
            if self._over is not None or self._stopping:
                raise RuntimeError("the scoring pool is closed") from self._over
            self._incoming.append(batch)
            self._wake()

    def stop(self) -> None:
        """Have ``run`` end."""
        with self._lock:
            self._stopping = True
            self._wake()

    def _wake(self) -> None:
        if self._over is None:
            with contextlib.suppress(BlockingIOError):  # full: it will wake anyhow
                os.write(self._wake_writer, b"w")

    def run(self) -> None:
        """Until ``stop``; whatever ends it, no batch is left waiting and no worker running."""
        error: Exception = RuntimeError("the scoring pool was closed before all was scored")
        try:
            while not self._stopping:
                self._take_in()
                self._assign()
                self._wait()
                self._watch_clocks()
                self._collect()
        except Exception as caught:  # a fault in here must reach those who wait, or they would wait for ever
            logger.exception("the scoring pool's dispatcher failed")
            error = RuntimeError(f"the scoring pool failed: {type(caught).__name__}: {caught}")
            error.__cause__ = caught
        finally:
            self._end(error)

    def _end(self, error: Exception) -> None:
        with self._lock:
            self._over = error
            self._open.update(self._incoming)
        for slot in self._slots:
            if slot.worker is not None:
                self._kill(slot)
        for batch in self._open:
            batch.fail(error)
        until = time.monotonic() + EXIT_S
        while self._dying and time.monotonic() < until:
            self._dying = [worker for worker in self._dying if worker.exit_code() is None]
            time.sleep(REAP_S)
        self._selector.close()
        os.close(self._wake_writer)
        os.close(self._wake_reader)

    # Queue to workers

    def _take_in(self) -> None:
        with self._lock:
            new = list(self._incoming)
            self._incoming.clear()
        for batch in new:
            if not batch.done:
                self._turns.add(batch)
                self._open.add(batch)

    def _assign(self) -> None:
        """Give every idle worker an item, and start as many workers as there are items without one."""
        for slot in self._slots:
            while slot.worker and slot.worker.ready and not slot.ended and slot.item is None:
                item = slot.retry or self._turns.take()
                if item is None:
                    break
                slot.retry = None
                self._hand_over(slot, slot.worker, item)
        starting = sum(slot.worker is not None and not slot.worker.ready and not slot.retry for slot in self._slots)
        wanted = self._turns.waiting - starting
        for slot in self._slots:
            if slot.worker is None and (slot.retry or wanted > 0) and time.monotonic() >= slot.start_after:
                wanted -= slot.retry is None
                self._start(slot)

    def _hand_over(self, slot: _Slot, worker: WorkerProcess, item: Item) -> None:
        """Write the item to the worker and start its clock, or settle it where no worker is needed."""
        row = self._row_frame(item)
        if isinstance(row, Score):
            self._settle(item, row, 0.0)
            return
        slot.item, slot.number, slot.gold_passed = item, next(self._numbers), not self._golds.untried(item.row)
        slot.seconds = wall_seconds(item.row, self._seconds)
        worker.has_family |= item.row.verifier == "code"
        request = {"try": slot.number, "seconds": slot.seconds, "gold": slot.gold_passed, "completion": item.completion}
        data = row + encode(request)
        slot.began = time.monotonic()
        worker.deadline = slot.began + slot.seconds
        worker.send(data)
        self._listen(slot)

    def _row_frame(self, item: Item) -> bytes | Score:
        """The item's row as it travels, or the score of an item that no worker is asked about."""
        if (broken := self._golds.broken(item.row)) is not None:
            return broken
        if len(item.completion) > MAX_COMPLETION:
            return Score.of(Verdict.UNPARSEABLE, detail=f"longer than {MAX_COMPLETION} characters")
        try:
            return item.batch.row_frame(item.index)
        except (ValueError, TypeError, RecursionError) as error:
            return Score.unusable(f"row cannot be sent: {error}")

    def _start(self, slot: _Slot) -> None:
        try:
            slot.worker = WorkerProcess(self._judge, self._memory_bytes)
        except OSError as error:  # no process, no descriptor, no memory for one
            self._failed_start(slot, str(error))
            return
        self._selector.register(slot.worker.answers, selectors.EVENT_READ, (slot, "answers"))
        self._selector.register(slot.worker.errors, selectors.EVENT_READ, (slot, "errors"))

    # Workers to verdicts

    def _wait(self) -> None:
        """Sleep until bytes come or can go, a clock runs out, or something is to be collected or started."""
        now = time.monotonic()
        until = now + IDLE_S
        for slot in self._slots:
            if slot.worker is not None and (slot.item or not slot.worker.ready):
                until = min(until, slot.worker.deadline)
            elif slot.worker is None and now < slot.start_after and (slot.retry or self._turns.waiting):
                until = min(until, slot.start_after)
        if self._dying or any(slot.ended for slot in self._slots):
            until = min(until, now + REAP_S)
        for key, events in self._selector.select(max(0.0, until - now)):
            if key.data is None:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._wake_reader, 4096)
                continue
            slot, what = key.data
            if slot.worker is None or key.fd not in slot.worker.descriptors:
                continue  # killed a moment ago, on the word of another of its pipes
            if what == "requests" and events & selectors.EVENT_WRITE:
                slot.worker.flush()
                self._listen(slot)
            elif what == "errors" and not slot.worker.read_errors():
                self._selector.unregister(key.fd)
            elif what == "answers":
                self._read(slot)

    def _listen(self, slot: _Slot) -> None:
        """Ask to be woken when the worker takes more, as long as there is more."""
        assert slot.worker is not None
        asked = slot.worker.requests in self._selector.get_map()
        if slot.worker.unsent and not asked:
            self._selector.register(slot.worker.requests, selectors.EVENT_WRITE, (slot, "requests"))
        elif asked and not slot.worker.unsent:
            self._selector.unregister(slot.worker.requests)

    def _read(self, slot: _Slot) -> None:
        """Act on what the worker says; at its end of file wait for the exit code."""
        assert slot.worker is not None
        try:
            messages = slot.worker.receive()
        except ValueError as error:  # nothing but the worker's own frames goes through this pipe: it has lost its mind
            logger.error("a scoring worker sends no messages any more: %s", error)
            messages = None
        if messages is None:
            slot.ended = True
            self._selector.unregister(slot.worker.answers)
            slot.worker.kill()  # it is exiting, so that its exit code stands; this is for what it may have started
            return
        for message in messages:
            slot.worker.cpu = message["cpu"]
            if message.get("ready"):
                slot.worker.ready, slot.worker.warm_bytes = True, message["rss"]
                self._failed_starts = 0
            elif slot.item is not None and message.get("try") == slot.number:
                self._hear(slot, slot.worker, message)

    def _hear(self, slot: _Slot, worker: WorkerProcess, message: dict[str, Any]) -> None:
        """A message about the item in hand: its gold is usable, or it is done."""
        item = slot.item
        assert item is not None
        if message.get("gold"):
            slot.gold_passed = True
            self._golds.remember(item.row, None)
            slot.began = time.monotonic()
            worker.deadline = slot.began + slot.seconds
            return
        slot.item = None
        worker.served += 1
        if "score" in message:
            self._conclude(slot, item, read_score(message["score"]))
        elif message["memory"] and worker.served > 1:
            slot.retry = item
        else:
            logger.warning("%s stopped the verifier: %s", item.row.id, message["failure"])
            score = failed(message["failure"], memory=message["memory"], gold_passed=slot.gold_passed)
            self._conclude(slot, item, score)
        if message.get("memory") or message["rss"] - worker.warm_bytes > self._memory_bytes // 4:
            self._kill(slot)  # the next items shall not inherit its want of memory

    def _watch_clocks(self) -> None:
        """Kill the workers whose item or start has run out of time."""
        for slot in self._slots:
            worker = slot.worker
            if worker is None or time.monotonic() < worker.deadline:
                continue
            if not worker.ready and not slot.ended:
                self._kill(slot)
                self._failed_start(slot, f"not ready in time\n{worker.tail}")
            elif slot.item is not None and not slot.ended:
                self._read(slot)  # an answer that came in time may have been lying here while this thread had to wait
                if slot.item is not None and not slot.ended and time.monotonic() >= worker.deadline:
                    self._over_the_clock(slot, worker.cpu_since())
                    self._kill(slot)

    def _over_the_clock(self, slot: _Slot, cpu: float) -> None:
        item, slot.item = slot.item, None
        assert item is not None
        logger.info("%s: not judged within %g s, of which %.1f s on the processor", item.row.id, slot.seconds, cpu)
        self._retry_or_conclude(slot, item, over_the_clock(item, slot.seconds, cpu, gold_passed=slot.gold_passed))

    def _retry_or_conclude(self, slot: _Slot, item: Item, score: Score | None) -> None:
        if score is None:
            slot.retry = item
        else:
            self._conclude(slot, item, score)

    def _collect(self) -> None:
        """Reap what was killed, and read the exit codes of those that ended on their own."""
        self._dying = [worker for worker in self._dying if worker.exit_code() is None]
        for slot in self._slots:
            if slot.ended and slot.worker is not None and (code := slot.worker.exit_code()) is not None:
                slot.worker.read_errors()
                self._bury(slot, slot.worker, code)

    def _bury(self, slot: _Slot, worker: WorkerProcess, code: int) -> None:
        """A worker has died that nobody here has killed: retry its item, or say what its death says."""
        item, slot.item = slot.item, None
        self._kill(slot)
        name = f"exit code {code}" if code >= 0 else f"signal {-code}"
        if not worker.ready:
            self._failed_start(slot, f"{name}\n{worker.tail}")
            return
        death = worker.death(code)
        logger.warning("a scoring worker died (%s, %s):\n%s", name, death.value, worker.tail)
        if item is None:
            return
        if death is Death.ALARM:
            slot.item = item
            self._over_the_clock(slot, 0.0)  # this thread was not there in time: the machine is starved, or was stopped
            return
        self._retry_or_conclude(slot, item, after_death(item, death, name, gold_passed=slot.gold_passed))

    def _failed_start(self, slot: _Slot, why: str) -> None:
        """Try again a little later; INFRA for all that waits when it keeps failing and no worker runs."""
        self._failed_starts += 1
        slot.start_after = time.monotonic() + BACKOFF_S * 2 ** min(self._failed_starts, START_TRIES)
        logger.warning("a scoring worker could not be started: %s", why)
        if self._failed_starts < START_TRIES:
            return
        if any(other.worker and other.worker.ready for other in self._slots):
            if slot.retry is not None:  # a worker that is not fresh is better than none
                self._turns.again(slot.retry)
                slot.retry = None
            return
        self._failed_starts = 0
        score = Score.of(Verdict.INFRA, detail=f"no scoring worker could be started: {why}")
        for other in self._slots:
            if other.retry is not None:
                self._settle(other.retry, score, 0.0)
                other.retry = None
        while (waiting := self._turns.take()) is not None:
            self._settle(waiting, score, 0.0)

    def _conclude(self, slot: _Slot, item: Item, score: Score) -> None:
        """Settle the item that a worker had in hand; a gold that proved no good is not tried again."""
        if not slot.gold_passed and score.verdict is None:
            self._golds.remember(item.row, score)
        self._settle(item, score, time.monotonic() - slot.began)

    def _settle(self, item: Item, score: Score, seconds: float) -> None:
        item.batch.settle(item.index, score, seconds)
        if item.batch.done:
            self._open.discard(item.batch)

    def _kill(self, slot: _Slot) -> None:
        """End the slot's worker and forget it; what it may still have said is not read."""
        worker = slot.worker
        assert worker is not None
        for descriptor in worker.descriptors:
            if descriptor in self._selector.get_map():
                self._selector.unregister(descriptor)
        worker.kill()
        worker.close()
        slot.worker, slot.ended = None, False
        if worker.exit_code() is None:
            self._dying.append(worker)
