"""What the pool knows of the golds it has met, so that each is tried once and not once per completion."""

from collections import OrderedDict

from r1flow.components.core.schema import Row
from r1flow.components.rewards.base import Score

REMEMBERED = 8192


class Golds:
    """Golds of mathematics that were tried lately: usable, or the score of every item that has them."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Score | None] = OrderedDict()

    def untried(self, row: Row) -> bool:
        """Whether the gold has to be tried before a completion is held against it. The tests of programs are not golds."""
        return row.verifier == "math" and row.answer not in self._known

    def broken(self, row: Row) -> Score | None:
        """What to say of any completion where the gold is known to be no good."""
        return self._known.get(row.answer) if row.verifier == "math" else None

    def remember(self, row: Row, score: Score | None) -> None:
        """The gold was tried: None when it is usable, else the score of its row."""
        if row.verifier == "math":
            self._known[row.answer] = score
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
