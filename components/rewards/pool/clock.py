"""How long a worker may take over one item."""

from r1flow.components.core.schema import Row

SECONDS = 4.0
"""For an answer in mathematics: a thousand times what an ordinary one takes."""
MARGIN_S = 5.0
"""Beyond a program's own clocks, which are the first line; this is the second."""


def wall_seconds(row: Row, seconds: float = SECONDS) -> float:
    """The wall clock of one item against ``row``: ``seconds``, or for a program all that its own clocks may come to."""
    if row.verifier != "code" or row.tests is None:
        return seconds
    from r1flow.components.rewards.code import wall_seconds as by_its_tests

    return by_its_tests(row.tests) + MARGIN_S
