"""What is trained on: token ids, and which of them are only read."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Example:
    """Token ids of which the first ``num_context`` are read but not trained on.

    ``context``: further spans [start, end) that are only read, in order and apart: what others say between the turns of a
    conversation. The very first token is never trained on: nothing predicts it.
    """

    ids: tuple[int, ...]
    num_context: int
    context: tuple[tuple[int, int], ...] = ()

    @property
    def trained(self) -> tuple[bool, ...]:
        """For every token whether it is trained on."""
        chosen = [place >= max(1, self.num_context) for place in range(len(self.ids))]
        for start, end in self.context:
            chosen[start:end] = [False] * len(chosen[start:end])
        return tuple(chosen)

    @property
    def num_trained(self) -> int:
        return sum(self.trained)
