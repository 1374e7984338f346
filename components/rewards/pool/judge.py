"""The scoring pool as the judge that a ``Scorer`` asks."""

from collections.abc import Sequence

from r1flow.components.core.schema import Row
from r1flow.components.rewards.accuracy import quick_score
from r1flow.components.rewards.base import Score
from r1flow.components.rewards.pool.batch import Batch, Job
from r1flow.components.rewards.pool.pool import ScoringPool


class PoolJudge:
    """Verdicts from ``pool``. The same completion of the same row is judged once, and may be handed over ahead of time."""

    def __init__(self, pool: ScoringPool) -> None:
        self.pool = pool
        self._early: dict[tuple[str, str], Batch] = {}

    def ahead(self, completion: str, row: Row) -> None:
        """Begin with a verdict while other completions are still being generated."""
        key = (row.id, completion)
        if key not in self._early and quick_score(completion, row) is None:
            self._early[key] = self.pool.submit([Job(completion, row)])

    def __call__(self, completions: Sequence[str], rows: Sequence[Row]) -> list[Score]:
        keys = [(row.id, text) for text, row in zip(completions, rows, strict=True)]
        jobs = {key: Job(key[1], row) for key, row in zip(keys, rows, strict=True) if key not in self._early}
        late = self.pool.submit(list(jobs.values()))
        scores = {key: batch.result()[0] for key, batch in self._early.items()}
        scores |= dict(zip(jobs, late.result(), strict=True))
        self._early.clear()
        return [scores[key] for key in keys]
