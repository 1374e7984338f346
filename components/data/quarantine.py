"""What was put aside, in counts: memory does not grow with the data."""

from collections import Counter

from r1flow.components.core.errors import DataError
from r1flow.components.core.schema import QuarantinedRow, Row


class Tally:
    """Rows and quarantined lines of one source, by reason, with the first line of each reason."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.rows = 0
        self.reasons: Counter[str] = Counter()
        self.first: dict[str, QuarantinedRow] = {}

    def add(self, item: Row | QuarantinedRow) -> None:
        if isinstance(item, Row):
            self.rows += 1
        else:
            self.reasons[item.reason] += 1
            self.first.setdefault(item.reason, item)

    @property
    def bad(self) -> int:
        return self.reasons.total()

    @property
    def total(self) -> int:
        return self.rows + self.bad


def check_quarantine(tally: Tally, max_bad_fraction: float) -> None:
    """DataError with a table of reasons when more than ``max_bad_fraction`` of the lines is bad, or no row is left."""
    if tally.rows and tally.bad <= max_bad_fraction * tally.total:
        return
    head = (
        f"{tally.bad} of {tally.total} lines are unusable (max_bad_fraction {max_bad_fraction})"
        if tally.total
        else "no lines at all"
    )
    table = [f"  {count:>8}  {reason}{_place(tally.first[reason])}" for reason, count in tally.reasons.most_common()]
    fix = "fix the source or its column mapping"
    raise DataError("\n".join([f"{tally.source}: {head}, {tally.rows} rows left; {fix}", *table]))


def _place(entry: QuarantinedRow) -> str:
    return f"  (first: line {entry.line}: {entry.excerpt[:60]})"
