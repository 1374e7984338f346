"""Whose item is judged next: the batches take turns, so that a large one does not hold up a small one."""

from collections import deque
from dataclasses import dataclass

from r1flow.components.core.schema import Row
from r1flow.components.rewards.pool.batch import Batch


@dataclass(eq=False)
class Item:
    """One job on its way: where its score goes, and the tries that decided nothing."""

    batch: Batch
    index: int
    deaths: int = 0
    outside: int = 0
    starved: int = 0

    @property
    def completion(self) -> str:
        return self.batch.jobs[self.index].completion

    @property
    def row(self) -> Row:
        return self.batch.jobs[self.index].row


class Turns:
    """The items that no worker has in hand."""

    def __init__(self) -> None:
        self._batches: deque[Batch] = deque()
        self._again: deque[Item] = deque()

    def add(self, batch: Batch) -> None:
        """Queue all items of a batch."""
        self._batches.append(batch)

    def again(self, item: Item) -> None:
        """Put back an item that was taken; it is the next."""
        self._again.append(item)

    def take(self) -> Item | None:
        """The next item; None when there is none."""
        if self._again:
            return self._again.popleft()
        while self._batches:
            batch = self._batches.popleft()
            index = batch.take()
            if index is not None:
                self._batches.append(batch)
                return Item(batch, index)
        return None

    @property
    def waiting(self) -> int:
        """How many there are."""
        return len(self._again) + sum(batch.waiting for batch in self._batches)
