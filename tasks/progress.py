"""How far a stage has come, as a bar in Prefect's UI."""

import time
from collections.abc import Callable, Sequence
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact

from r1flow.components.core.spool import SpoolRow
from r1flow.tasks.shown import shown

EVERY_S = 5.0


class ProgressBar:
    """A progress artifact of one stage, moved by the steps it has trained, at most every EVERY_S seconds."""

    def __init__(self, key: str, total_steps: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._key, self._total, self._clock = key, total_steps, clock
        self._id: UUID | None = None
        self._moved = -EVERY_S

    def move(self, rows: Sequence[SpoolRow]) -> None:
        """Show the last of these steps."""
        done = 100.0 * max((row.step for row in rows), default=0) / self._total
        if self._clock() - self._moved < EVERY_S and done < 100:
            return
        self._moved = self._clock()
        with shown(f"the progress of {self._key}"):
            self._show(done)

    def _show(self, done: float) -> None:
        if self._id is None:
            made = create_progress_artifact(done, key=self._key, description=f"steps of {self._total:,}")
            assert isinstance(made, UUID)
            self._id = made
        else:
            update_progress_artifact(self._id, done)
