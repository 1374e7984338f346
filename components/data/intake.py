"""Sources one after another: rows out, bad lines to the quarantine file, counts by source."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import IO

from components.config.origins import Origin
from components.data.quarantine import Tally, check_quarantine
from components.data.schema import Row
from components.data.sources import read_source


class Intake:
    """Reads origins as a stream. A source of which too much is bad is refused when its end is reached."""

    def __init__(self, quarantine: IO[str], max_bad_fraction: float) -> None:
        self.quarantine = quarantine
        self.max_bad_fraction = max_bad_fraction
        self.tallies: dict[str, Tally] = {}
        """By the setting that names the source."""

    def rows(self, origins: Sequence[Origin], seed: int) -> Iterator[Row]:
        """All rows of ``origins``, in order; ``seed`` is for generators.

        Raises DataError with a table of reasons, and what ``read_source`` raises.
        """
        for origin in origins:
            tally = self.tallies.setdefault(origin.setting, Tally(origin.name))
            for item in read_source(origin.source, origin.name, seed=seed, setting=origin.setting):
                tally.add(item)
                if isinstance(item, Row):
                    yield item
                else:
                    self.quarantine.write(json.dumps(asdict(item)) + "\n")
            self.quarantine.flush()
            check_quarantine(tally, self.max_bad_fraction)

    def total(self, origins: Sequence[Origin]) -> Tally:
        """The sum over ``origins``, as far as they have been read."""
        whole = Tally("all sources")
        for tally in {origin.setting: self.tallies[origin.setting] for origin in origins}.values():
            whole.rows += tally.rows
            whole.reasons.update(tally.reasons)
        return whole
