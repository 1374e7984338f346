"""What a sweep has beside its runs: one tracking run above them, and the comparison of their models."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

from r1flow.components.evals.compare import problem_means
from r1flow.components.evals.paired import compare_all
from r1flow.components.recipe.recipe import Recipe
from r1flow.components.recipe.settings import Settings
from r1flow.components.store.artifact import materialize
from r1flow.components.store.manifest import ArtifactRef
from r1flow.components.store.objects import open_store
from r1flow.components.tracking.runs import Tracking
from r1flow.tasks.session import Listener, Session, Silent, process_tags

FLUSH_S = 10.0


class Line(BaseModel):
    """One point: its run, its model, what that scores, and the paired test against the best point.

    ``promote`` is the command that makes the model champion.
    """

    model_config = ConfigDict(frozen=True)

    point: str
    run: str = ""
    model: str = ""
    suite: str = ""
    pass_at_1: float | None = None
    against_best: str = ""
    promote: str = ""
    error: str = ""
    evaluation: ArtifactRef | None = None

    @classmethod
    def of(cls, point: str, run: Session, model: str) -> "Line":
        """What the run of a point has made of ``model``."""
        made, measured = run.done[model], run.done.get(f"evaluate/{model}")
        gate = next(((name, g) for name, g in run.recipe.promote.items() if g.model == model), None)
        suite = gate[1].suite if gate else next(iter(run.recipe.suites), "")
        score = measured.metrics.get(f"{suite}/pass_at_1") if measured else None
        registered = f" --model {gate[0]}" if gate else ""
        return cls(
            point=point,
            run=run.run_id,
            model=f"{made.ref.kind}/{made.ref.fingerprint[:12]}",
            suite=suite,
            pass_at_1=None if score is None else float(score),
            promote=f"r1 promote {made.ref.kind}/{made.ref.fingerprint[:12]}{registered}",
            evaluation=measured.ref if measured else None,
        )


class Sweeping:
    """The tracking run above a sweep's points, for the length of a with-block."""

    def __init__(self, recipe: Recipe, axes: Mapping[str, Sequence[Any]]) -> None:
        self._recipe, self._axes = recipe, axes
        self.settings, self.listener, self.standing = _watched.get() or (Settings(), Silent(), True)

    def __enter__(self) -> Self:
        self.settings.prepare()
        self._tracking = Tracking(self.settings.tracking_uri, self.settings.experiment, self.settings.outboxes)
        tags = {"r1.recipe": self._recipe.name, "r1.sweep": ", ".join(self._axes), **process_tags()}
        params = {key: list(values) for key, values in self._axes.items()}
        self.run = self._tracking.start_parent(f"{self._recipe.name}-sweep", tags=tags, params=params)
        self._tracking.flush(FLUSH_S)  # its points look for it
        return self

    def tell(self, lines: Sequence[Line]) -> None:
        """Log the best point."""
        scores = [line.pass_at_1 for line in lines if line.pass_at_1 is not None]
        if scores:
            self._tracking.log_summary(
                self.run, {"sweep/best_pass_at_1": max(scores), "sweep/points": float(len(lines))}
            )

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._tracking.finish(self.run, "FINISHED" if kind is None else "FAILED")
        self._tracking.close()


_watched: ContextVar[tuple[Settings, Listener, bool] | None] = ContextVar("r1_watched", default=None)


@contextmanager
def watched(settings: Settings, listener: Listener, *, standing: bool) -> Iterator[None]:
    """Whoever starts a sweep watches the runs of its points."""
    token = _watched.set((settings, listener, standing))
    try:
        yield
    finally:
        _watched.reset(token)


def compared(lines: Sequence[Line], settings: Settings) -> list[Line]:
    """Best first; every other point with the paired test against the best, corrected for their number (Holm)."""
    store = open_store(settings.store_uri)
    order = sorted(lines, key=lambda line: -1.0 if line.pass_at_1 is None else line.pass_at_1, reverse=True)
    means = {
        number: problem_means(materialize(store, line.evaluation, settings.cache), line.suite)
        for number, line in enumerate(order)
        if line.evaluation is not None and line.pass_at_1 is not None
    }
    if 0 not in means:
        return order
    others = {str(number): found for number, found in means.items() if number and set(found) & set(means[0])}
    tests = compare_all(others, means[0]) if others else {}
    verdicts = {number: str(test) for number, test in tests.items()} | {"0": "best"}
    return [
        line.model_copy(update={"against_best": verdicts.get(str(number), "")}) for number, line in enumerate(order)
    ]
