"""Sources one after another as one stream, counted by source."""

from collections.abc import Iterable, Iterator

from r1flow.components.core.schema import QuarantinedRow, Row
from r1flow.components.data.quarantine import Tally, check_quarantine
from r1flow.components.data.sources import read_source
from r1flow.components.data.sources.addition import with_worked_sum
from r1flow.components.data.sources.lines import TAIL
from r1flow.components.data.sources.records import EXCERPT
from r1flow.components.data.sources.tiny import with_worked_completion
from r1flow.components.recipe.data import SourceConfig
from r1flow.components.recipe.origins import Origin

WORKED = {"tiny/string": with_worked_completion, "english/addition": with_worked_sum}
"""Generators whose problems can be shown with how they are worked out."""


class Intake:
    """Reads origins as a stream. A source of which too much is bad is refused when its end is reached."""

    def __init__(self, max_bad_fraction: float) -> None:
        self.max_bad_fraction = max_bad_fraction
        self.tallies: dict[str, Tally] = {}
        """By the setting that names the source."""

    def items(
        self, origins: Iterable[Origin], seed: int, *, demonstrations: bool = False
    ) -> Iterator[Row | QuarantinedRow]:
        """All rows and quarantined lines of ``origins``, in order; ``seed`` is for generators.

        A problem without an answer to check, and of ``demonstrations`` a row without a completion to learn from, is no row.

        Raises DataError with a table of reasons, and what ``read_source`` raises.
        """
        for origin in origins:
            tally = self.tallies.setdefault(origin.setting, Tally(origin.name))
            for item in read_source(origin.source, origin.name, seed=seed, setting=origin.setting):
                found = _worked(item, origin.source) if demonstrations else item
                if isinstance(found, Row) and (reason := _lacks(found, demonstrations)):
                    found = QuarantinedRow(origin.name, tally.total + 1, reason, found.prompt[:EXCERPT])
                tally.add(found)
                yield found
            check_quarantine(tally, self.max_bad_fraction)

    @property
    def cut_off(self) -> int:
        """Sources that broke off before their end: how many rows they have lost is not known."""
        return sum(tally.reasons[TAIL] > 0 for tally in self.tallies.values())

    def total(self, origins: Iterable[Origin]) -> Tally:
        """The sum over ``origins``, as far as they have been read."""
        whole = Tally("all sources")
        for setting in dict.fromkeys(origin.setting for origin in origins):
            whole.rows += self.tallies[setting].rows
            whole.reasons.update(self.tallies[setting].reasons)
        return whole


def _worked(item: Row | QuarantinedRow, source: SourceConfig) -> Row | QuarantinedRow:
    """A made problem with its worked completion, where its generator has one."""
    worked = WORKED.get(source.generator or "")
    return worked(item) if worked and isinstance(item, Row) else item


def _lacks(row: Row, demonstrations: bool) -> str:
    """Why a row is of no use as what it is to be; nothing where it is."""
    if demonstrations:
        return "" if row.completion else "no completion"
    return "" if row.answer or row.tests is not None else "no answer"
