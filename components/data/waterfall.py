"""The counts of curation, step by step; a step that loses or makes a row is an error that names it."""

from dataclasses import asdict, dataclass

from r1flow.components.core.errors import ConservationError


@dataclass(frozen=True)
class Step:
    """``rows_in = rows_out + quarantined + dropped``."""

    name: str
    rows_in: int
    rows_out: int
    quarantined: int = 0
    dropped: int = 0


class Waterfall:
    """Steps in order: each takes in what the one before has let out."""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    def step(self, name: str, rows_in: int, rows_out: int, *, quarantined: int = 0, dropped: int = 0) -> None:
        """Note a step. Raises ConservationError when its rows, or those between it and the last step, do not add up.

        >>> falls = Waterfall()
        >>> falls.step("read", 10, 8, quarantined=2)
        >>> falls.step("duplicates", 8, 6, dropped=1)
        Traceback (most recent call last):
        r1flow.components.core.errors.ConservationError: duplicates: 8 rows in are not 6 out, 0 quarantined and 1 dropped
        """
        if self.steps and rows_in != (before := self.steps[-1]).rows_out:
            raise ConservationError(f"{name}: {rows_in} rows in, but {before.name} let {before.rows_out} out")
        if rows_in != rows_out + quarantined + dropped:
            found = f"{rows_out} out, {quarantined} quarantined and {dropped} dropped"
            raise ConservationError(f"{name}: {rows_in} rows in are not {found}")
        self.steps.append(Step(name, rows_in, rows_out, quarantined, dropped))

    def report(self) -> list[dict[str, str | int]]:
        """The steps as plain data."""
        return [asdict(step) for step in self.steps]
