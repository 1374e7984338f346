"""MLflow runs by explicit id. The fluent API is never used: its active run is thread-local and makes stray runs.

A tracking server that is down never stops a stage: a failed call is counted in ``failures`` and logged, an outage once.
Metrics wait in memory meanwhile and are sent when the server answers again, tried last when the process ends its runs.
"""

import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import psutil

from components.errors import ConfigError
from components.tracking.client import open_client
from components.tracking.metrics import SpoolRow, clean

logger = logging.getLogger(__name__)
T = TypeVar("T")
Point = tuple[str, float, int, int]  # name, value, time in ms, step
BATCH = 1000  # metrics per request, MLflow's limit
PARAMS = 100  # params per request, MLflow's limit
PAUSE_S = 30.0  # between attempts to ship metrics while the server is down: each blocks its caller for seconds
# MLflow's page shows runs and curves first, not chat traces.
KIND = {"mlflow.experimentKind": "custom_model_development"}
REFUSALS = frozenset({"INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST"})  # answers that no repetition changes


class Tracking:
    """One tracking server or database and one experiment on it."""

    def __init__(self, uri: str, experiment: str) -> None:
        self.uri = uri
        self.experiment = experiment
        self.failures = 0
        self._client: Any = None
        self._experiment_id: str | None = None
        self._lock = threading.RLock()
        self._last_step: dict[str, int] = {}
        self._curves: dict[str, set[str]] = {}
        self._unsent: dict[str, list[Point]] = {}
        self._ending: dict[str, str] = {}
        self._down = False
        self._next_attempt = 0.0

    def start_parent(self, name: str, *, tags: Mapping[str, str], params: Mapping[str, object]) -> str:
        """A run's own MLflow run; its id, or "" where the server cannot be reached."""
        return self._start(name, dict(tags), params)

    def start_child(self, parent_id: str, name: str, *, tags: Mapping[str, str], params: Mapping[str, object]) -> str:
        """A stage's run below ``parent_id``."""
        parent = {"mlflow.parentRunId": parent_id} if parent_id else {}
        return self._start(name, {**parent, **tags}, params)

    def log_rows(self, run_id: str, rows: Sequence[SpoolRow]) -> None:
        """Ship spooled steps, each with its own step and time; steps that were already taken are left out."""
        if not run_id:
            return
        with self._lock:
            for row in rows:
                if row.step > self._last_step.get(run_id, -1):
                    self._last_step[run_id] = row.step
                    self._curves.setdefault(run_id, set()).update(row.metrics)
                    points = [(name, value, row.time_ms, row.step) for name, value in row.metrics.items()]
                    self._unsent.setdefault(run_id, []).extend(points)
            if not self._down or time.monotonic() >= self._next_attempt:
                self._ship(run_id)

    def log_summary(self, run_id: str, metrics: Mapping[str, float]) -> None:
        """A stage's closing figures; what has a curve in this run is there already, as the curve's last point."""
        now = time.time_ns() // 1_000_000
        try:
            drawn = self._curves.get(run_id, set())
            points = [(name, value, now, 0) for name, value in clean(metrics).items() if name not in drawn]
        except ConfigError as error:
            self._failed("log_summary", error, logging.WARNING)
            return
        if run_id:
            with self._lock:
                self._unsent.setdefault(run_id, []).extend(points)
                self._ship(run_id)

    def set_tags(self, run_id: str, tags: Mapping[str, str]) -> None:
        def call() -> None:
            from mlflow.entities import RunTag

            self._mlflow().log_batch(run_id, tags=[RunTag(name, value) for name, value in tags.items()])

        if run_id:
            self._guarded("set_tags", call)

    def log_input(self, run_id: str, *, name: str, uri: str, digest: str, context: str) -> None:
        """An input artifact in the run's dataset list: where it lies and its digest, without downloading it.

        The source types are MLflow's own, so that ``mlflow.data.get_source`` resolves them.
        """

        def call() -> None:
            from mlflow.entities import Dataset, DatasetInput, InputTag

            kind = "s3" if uri.startswith("s3://") else "local"
            dataset = Dataset(name=name, digest=digest, source_type=kind, source=json.dumps({"uri": uri}))
            entry = DatasetInput(dataset, tags=[InputTag("mlflow.data.context", context)])
            self._mlflow().log_inputs(run_id, datasets=[entry])

        if run_id:
            self._guarded("log_inputs", call)

    def log_file(self, run_id: str, path: Path, artifact_dir: str) -> None:
        if run_id and path.is_file():
            self._guarded("log_artifact", lambda: self._mlflow().log_artifact(run_id, str(path), artifact_dir or None))

    def finish(self, run_id: str, status: str) -> None:
        """Close a run: FINISHED, FAILED or KILLED; first send what an outage held back, of this run and of others.

        While the server is down the run waits for the next call, and so for the end of its parent.
        """
        with self._lock:
            if run_id:
                self._ending[run_id] = status
            if all(self._ship(waiting) for waiting in list(self._unsent)):
                for ending, its_status in list(self._ending.items()):
                    self._guarded("set_terminated", partial(self._terminate, ending, its_status))
                    if self._down:
                        break
                    del self._ending[ending]

    def close_orphans(self) -> int:
        """Runs that still say RUNNING though their process on this host is dead are closed as KILLED; how many."""
        where = f"attributes.status = 'RUNNING' and tags.`r1.host` = '{socket.gethostname()}'"
        runs = self._guarded(
            "search_runs", lambda: self._mlflow().search_runs([self._experiment()], where, max_results=500)
        )
        closed = 0
        for run in runs or ():
            if not psutil.pid_exists(_number(run.data.tags.get("r1.pid", ""))):
                self.finish(run.info.run_id, "KILLED")
                closed += 1
        return closed

    def _start(self, name: str, tags: dict[str, str], params: Mapping[str, object]) -> str:
        created = self._guarded(
            "create_run", lambda: self._mlflow().create_run(self._experiment(), run_name=name, tags=tags)
        )
        if created is None:
            return ""
        run_id = str(created.info.run_id)
        items = list(params.items())
        for start in range(0, len(items), PARAMS):
            self._guarded("log params", partial(self._params, run_id, items[start : start + PARAMS]))
        return run_id

    def _terminate(self, run_id: str, status: str) -> None:
        self._mlflow().set_terminated(run_id, status=status)

    def _params(self, run_id: str, items: Sequence[tuple[str, object]]) -> None:
        from mlflow.entities import Param

        self._mlflow().log_batch(run_id, params=[Param(key, str(value)) for key, value in items])

    def _ship(self, run_id: str) -> bool:
        """Send what waits for this run; False while the server is down. What the server refuses is given up."""
        waiting = self._unsent.get(run_id, [])
        while waiting:
            self._guarded("log_batch", lambda: self._metrics(run_id, waiting[:BATCH]))
            if self._down:
                self._next_attempt = time.monotonic() + PAUSE_S
                return False
            del waiting[:BATCH]
        self._unsent.pop(run_id, None)
        return True

    def _metrics(self, run_id: str, points: Sequence[Point]) -> None:
        from mlflow.entities import Metric

        self._mlflow().log_batch(run_id, metrics=[Metric(*point) for point in points])

    def _experiment(self) -> str:
        with self._lock:
            if self._experiment_id is None:
                self._experiment_id = self._found_experiment() or self._new_experiment()
            return self._experiment_id

    def _found_experiment(self) -> str | None:
        found = self._mlflow().get_experiment_by_name(self.experiment)
        return str(found.experiment_id) if found else None

    def _new_experiment(self) -> str:
        from mlflow.exceptions import MlflowException

        try:
            return str(self._mlflow().create_experiment(self.experiment, self._artifact_root(), KIND))
        except MlflowException:
            if found := self._found_experiment():  # another process was quicker
                return found
            raise

    def _artifact_root(self) -> str | None:
        """Logs lie beside an SQLite database; a server knows its own place."""
        if not self.uri.startswith("sqlite:///"):
            return None
        return (Path(self.uri.removeprefix("sqlite:///")).parent / "mlflow-artifacts").as_uri()

    def _mlflow(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = open_client(self.uri)
            return self._client

    def _guarded(self, what: str, call: Callable[[], T]) -> T | None:
        """The call's result, or None where it failed. MLflow and SQLite wait and repeat by themselves, bounded."""
        with self._lock:
            try:
                result = call()
            except Exception as error:  # MLflow raises anything from its own to sqlalchemy's; none may stop a stage
                refused = getattr(error, "error_code", "") in REFUSALS
                # An outage is told once.
                self._failed(what, error, logging.DEBUG if self._down and not refused else logging.WARNING)
                self._down = not refused
                return None
            self._down = False
            return result

    def _failed(self, what: str, error: Exception, level: int) -> None:
        self.failures += 1
        logger.log(level, "MLflow at %s: %s failed (%s); the run goes on without it", self.uri, what, error)


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0
