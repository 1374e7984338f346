"""What the stages of one run share: store, tracking run, fork server, lanes, and who is watching.

A session is opened once per run, by the command line or by the outermost flow, and found by tasks through a context
variable (Prefect copies the context into its worker threads).
"""

import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from components.config.recipe import Recipe
from components.config.settings import Settings
from components.errors import ConfigError, StoreUnavailable
from components.launch.preload import ForkServer
from components.plan.bill import Spent
from components.store.manifest import ArtifactRef
from components.store.objects import ObjectStore, open_store
from components.tracking.metrics import SpoolRow
from components.tracking.params import flatten
from components.tracking.runs import Tracking
from tasks.purse import Purse, open_purse

PRELOAD = ("torch", "transformers.models.qwen3.modeling_qwen3", "pyarrow.parquet", "components.programs.language_model")


class StageOutcome(BaseModel):
    """One line of the stage table, and what a stage hands to the next: its artifact's reference."""

    model_config = ConfigDict(frozen=True)

    name: str
    ref: ArtifactRef
    reused: bool
    seconds: float
    metrics: dict[str, float | int | str | None]
    cost: Spent | None = None
    """What it took when it was computed; None where nobody wrote that down."""


class Listener(Protocol):
    """Somebody who watches a run: the command line's progress display."""

    def started(self, name: str, total_steps: int | None) -> None: ...
    def progressed(self, name: str, rows: list[SpoolRow]) -> None: ...
    def finished(self, outcome: StageOutcome) -> None: ...


class Silent:
    """Nobody is watching."""

    def started(self, name: str, total_steps: int | None) -> None: ...
    def progressed(self, name: str, rows: list[SpoolRow]) -> None: ...
    def finished(self, outcome: StageOutcome) -> None: ...


@dataclass
class Session:
    """One run. ``outcomes`` grows as stages end, in the order they ended; ``known`` finds them by (kind, fingerprint)."""

    recipe: Recipe
    settings: Settings
    store: ObjectStore
    tracking: Tracking
    run_id: str
    listener: Listener
    lanes: threading.Semaphore
    cancelled: threading.Event = field(default_factory=threading.Event)
    outcomes: list[StageOutcome] = field(default_factory=list)
    known: dict[tuple[str, str], StageOutcome] = field(default_factory=dict)
    purse: Purse = field(default_factory=Purse)
    _server: ForkServer | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def server(self) -> ForkServer:
        """The preloaded server that stage programs are forked from, started when it is first needed."""
        with self._lock:
            if self._server is None:
                self._server = ForkServer.start(PRELOAD)
            return self._server

    def close(self) -> None:
        self.cancelled.set()
        if self._server is not None:
            self._server.close()


_current: ContextVar[Session | None] = ContextVar("r1_session", default=None)


def current_session() -> Session:
    """The session of the run that this task belongs to."""
    session = _current.get()
    if session is None:
        raise RuntimeError("no session: call flows through `r1 run`, or inside tasks.session.session(recipe)")
    return session


@contextlib.contextmanager
def session(recipe: Recipe, settings: Settings | None = None, listener: Listener | None = None) -> Iterator[Session]:
    """The run's session: the one that is open, else a new one that ends with this block.

    Checks that the store can be written before anything is computed.
    """
    if (opened := _current.get()) is not None:
        yield opened
        return
    settings = settings or Settings()
    settings.prepare()
    purse = open_purse(recipe, settings)
    store = open_store(settings.store_uri)
    try:
        store.probe()
    except StoreUnavailable as error:
        raise ConfigError(f"store: {error}") from error
    tracking = Tracking(settings.tracking_uri, settings.experiment, settings.outboxes)
    run_id = tracking.start_parent(
        f"{recipe.preset}-{recipe.seed}",
        tags={"r1.preset": recipe.preset, "r1.store": settings.store_uri, **process_tags()},
        params=flatten(recipe.model_dump(mode="json", exclude_none=True)),
    )
    new = Session(
        recipe,
        settings,
        store,
        tracking,
        run_id,
        listener or Silent(),
        threading.Semaphore(recipe.run.lanes),
        purse=purse,
    )
    token = _current.set(new)
    status = "FAILED"
    try:
        yield new
        status = "FINISHED"
    finally:
        _current.reset(token)
        new.close()
        tracking.finish(run_id, status)
        tracking.close()


def process_tags() -> dict[str, str]:
    """Which process owns a tracking run, so that a run whose process was killed can be closed by the next one."""
    return {"r1.host": socket.gethostname(), "r1.pid": str(os.getpid())}
