"""What the stages of one run share: store, tracking run, fork server, budget, and who is watching.

A session is opened once per run, by the command line or by the outermost flow, and found by flows and tasks below through
a context variable.
"""

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict

from r1flow.components.core.errors import ConfigError
from r1flow.components.core.params import flatten
from r1flow.components.core.spool import SpoolRow
from r1flow.components.costs.bill import Spent
from r1flow.components.processes.preload import ForkServer
from r1flow.components.programs.admission import admit_store
from r1flow.components.recipe.recipe import Recipe
from r1flow.components.recipe.settings import Settings
from r1flow.components.store.liveness import run_lease
from r1flow.components.store.manifest import ArtifactRef
from r1flow.components.store.objects import ObjectStore, open_store
from r1flow.components.tracking.runs import Tracking
from r1flow.tasks.budget import Budget, open_budget
from r1flow.tasks.place import Place, find_place
from r1flow.tasks.summary import keep_summary

PRELOAD = (
    "torch",
    "transformers.models.qwen3.modeling_qwen3",
    "pyarrow.parquet",
    "r1flow.components.programs.language_model",
)


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


class Champion(BaseModel):
    """The outcome of a gate: who reigns now, and why."""

    model_config = ConfigDict(frozen=True)

    model: str
    promoted: bool
    reasons: list[str]
    uri: str | None
    version: int | None


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
    """One run. ``done`` holds what stages have given, by name, in the order they ended."""

    recipe: Recipe
    settings: Settings
    store: ObjectStore
    tracking: Tracking
    run_id: str
    listener: Listener
    place: Place
    budget: Budget = field(default_factory=Budget)
    cancelled: threading.Event = field(default_factory=threading.Event)
    done: dict[str, StageOutcome] = field(default_factory=dict)
    standing: bool = True
    """Whether Prefect's server outlives this run, so that a person can answer it there."""
    champions: list[Champion] = field(default_factory=list)
    """What the gates said, once they were asked."""
    summary: dict[str, Any] = field(default_factory=dict)
    """The whole run, once it has ended well."""
    started: float = field(default_factory=time.monotonic)
    _server: "LazyServer" = field(default_factory=lambda: _shared.get() or LazyServer())
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _computing: dict[str, threading.Lock] = field(default_factory=dict)

    def server(self) -> ForkServer:
        """The preloaded server that stage programs are forked from."""
        return self._server.get()

    def turn(self, address: str) -> threading.Lock:
        """Held while the artifact at ``address`` is made: two stages of one fingerprint make it once."""
        with self._lock:
            return self._computing.setdefault(address, threading.Lock())

    def known(self, address: str) -> StageOutcome | None:
        """What this run has computed or found at ``address`` already."""
        return next((outcome for outcome in list(self.done.values()) if outcome.ref.fingerprint == address), None)

    def close(self) -> None:
        self.cancelled.set()
        if self._server is not _shared.get():
            self._server.close()


class LazyServer:
    """A fork server that starts when it is first asked for: importing torch takes seconds."""

    def __init__(self) -> None:
        self._server: ForkServer | None = None
        self._lock = threading.Lock()

    def get(self) -> ForkServer:
        with self._lock:
            if self._server is None:
                self._server = ForkServer.start(PRELOAD)
            return self._server

    def close(self) -> None:
        with self._lock:
            if self._server is not None:
                self._server.close()
                self._server = None


@contextlib.contextmanager
def one_server() -> Iterator[None]:
    """All sessions in the block fork their programs from one server."""
    server = LazyServer()
    token = _shared.set(server)
    try:
        yield
    finally:
        _shared.reset(token)
        server.close()


_shared: ContextVar[LazyServer | None] = ContextVar("r1_server", default=None)
_current: ContextVar[Session | None] = ContextVar("r1_session", default=None)


def open_session() -> Session | None:
    """The session of the run around this, if there is one."""
    return _current.get()


def current_session() -> Session:
    """The session of the run that this task belongs to."""
    session = _current.get()
    if session is None:
        raise RuntimeError("no session: call flows through `r1 run`, or inside r1flow.tasks.session.session(recipe)")
    return session


@contextlib.contextmanager
def session(
    recipe: Recipe,
    settings: Settings | None = None,
    listener: Listener | None = None,
    *,
    standing: bool = True,
    sweep: str = "",
) -> Iterator[Session]:
    """The run's session: the one that is open, else a new one that ends with this block.

    Checks that the store can be written before anything is computed; a run that ends well leaves its summary there.
    ConfigError where the open one is of another recipe: its stages would not be found.
    ``sweep``: the tracking run of which this one is a point.
    """
    if (opened := _current.get()) is not None:
        if recipe != opened.recipe:
            raise ConfigError(f"a run of {opened.recipe.name} is open, and this is another recipe; run it by itself")
        with _cancelled_by_interrupts(opened):
            yield opened
        return
    settings = settings or Settings()
    settings.prepare()
    place = find_place(recipe)
    budget = open_budget(recipe, settings, place.device)
    store = open_store(settings.store_uri)
    admit_store(store)
    tracking = Tracking(settings.tracking_uri, settings.experiment, settings.outboxes)
    in_prefect = _flow_run()
    run_id = tracking.start_parent(
        f"{recipe.name}-{recipe.seed}",
        tags={
            "r1.recipe": recipe.name,
            "r1.store": settings.store_uri,
            **process_tags(),
            **({"prefect.flow_run_id": in_prefect} if in_prefect else {}),
        },
        params=flatten(recipe.model_dump(mode="json", exclude_none=True)),
        sweep=sweep,
    )
    new = Session(recipe, settings, store, tracking, run_id, listener or Silent(), place, budget, standing=standing)
    token = _current.set(new)
    status = "FAILED"
    lease = run_lease(store, run_id, in_prefect)
    try:
        lease.acquire()
        with _cancelled_by_interrupts(new):
            yield new
        new.summary = keep_summary(new)
        status = "FINISHED"
    finally:
        _current.reset(token)
        new.close()
        tracking.finish(run_id, status)
        tracking.close()
        lease.release()


@contextlib.contextmanager
def _cancelled_by_interrupts(running: Session) -> Iterator[None]:
    """An interrupt, a termination or an exit (no ordinary error) that leaves the block stops every running stage at once.

    Prefect waits for the tasks of a flow before it lets the flow end, however it ends.
    """
    try:
        yield
    except Exception:
        raise
    except BaseException:
        running.cancelled.set()
        raise


def _flow_run() -> str:
    """The id of the flow run around this, if there is one. Prefect's settings are read when it is first imported: not yet."""
    from prefect.runtime import flow_run

    return str(flow_run.get_id() or "")


def process_tags() -> dict[str, str]:
    """Which process owns a tracking run, so that a run whose process was killed can be closed by the next one."""
    return {"r1.host": socket.gethostname(), "r1.pid": str(os.getpid())}
