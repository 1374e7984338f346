"""Jobs that were handed over together, and the wait for their scores."""

from collections.abc import Generator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from r1flow.components.core.schema import Row
from r1flow.components.rewards.base import Score
from r1flow.components.rewards.pool.wire import encode_row


@dataclass(frozen=True)
class Job:
    """A completion, thought and all, and the row that it answers."""

    completion: str
    row: Row


class Batch:
    """The scores to come of some jobs, in the jobs' order. ``await batch`` gives what ``batch.result()`` gives."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self.jobs = tuple(jobs)
        self.seconds = [0.0] * len(self.jobs)
        """Wall time that a worker had each item in hand, in the try that decided; 0 where none was needed."""
        self._scores: list[Score | None] = [None] * len(self.jobs)
        self._left = len(self.jobs)
        self._rows: dict[int, bytes] = {}
        self._next = 0
        self._future: Future[list[Score]] = Future()
        self._future.set_running_or_notify_cancel()  # a cancelled await leaves it alone: other tries go on
        if not self.jobs:
            self._future.set_result([])

    def result(self, timeout: float | None = None) -> list[Score]:
        """Wait for all scores; every item has a clock, so the wait ends.

        Raises ``TimeoutError`` after ``timeout`` seconds (call again to go on waiting) and ``RuntimeError`` where the
        pool was closed before the end.
        """
        return self._future.result(timeout)

    def __await__(self) -> Generator[Any, None, list[Score]]:
        import asyncio

        return asyncio.wrap_future(self._future).__await__()

    @property
    def done(self) -> bool:
        """Whether ``result`` returns at once."""
        return self._future.done()

    # What follows is for the dispatcher's thread alone.

    def take(self) -> int | None:
        """The index of the next item to judge; None when all have been taken."""
        if self._next == len(self.jobs):
            return None
        self._next += 1
        return self._next - 1

    @property
    def waiting(self) -> int:
        """How many items have not been taken."""
        return len(self.jobs) - self._next

    def row_frame(self, index: int) -> bytes:
        """The row of an item as it travels; a row that several items share is written out once. Raises like ``encode``."""
        row = self.jobs[index].row
        if id(row) not in self._rows:  # the jobs keep the row, and so its id, alive
            self._rows[id(row)] = encode_row(row)
        return self._rows[id(row)]

    def settle(self, index: int, score: Score, seconds: float) -> None:
        """Note an item's score; with the last one the wait is over."""
        if self._scores[index] is not None:
            raise RuntimeError(f"item {index} has its score already")
        self._scores[index] = score
        self.seconds[index] = seconds
        self._left -= 1
        if self._left == 0:
            self._rows.clear()
            self._future.set_result([score for score in self._scores if score is not None])

    def fail(self, error: Exception) -> None:
        """End the wait with an error."""
        if not self._future.done():
            self._future.set_exception(error)
