"""MLflow runs by explicit id. The fluent API is never used: its active run is thread-local and makes stray runs.

A tracking server that is down never stops a stage: every call is tried twice, then counted in ``failures`` and logged.
"""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import psutil

from components.tracking.metrics import SpoolRow

os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # the default of 7 blocks a caller for four minutes
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
os.environ.setdefault("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")

logger = logging.getLogger(__name__)
T = TypeVar("T")
BATCH = 1000  # metrics per request, MLflow's limit
PARAMS = 100  # params per request, MLflow's limit


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

    def start_parent(self, name: str, *, tags: Mapping[str, str], params: Mapping[str, object]) -> str:
        """A run's own MLflow run; its id, or "" where the server cannot be reached."""
        return self._start(name, dict(tags), params)

    def start_child(self, parent_id: str, name: str, *, tags: Mapping[str, str], params: Mapping[str, object]) -> str:
        """A stage's run below ``parent_id``."""
        return self._start(name, {"mlflow.parentRunId": parent_id, **tags}, params)

    def log_rows(self, run_id: str, rows: Sequence[SpoolRow]) -> None:
        """Ship spooled steps, each with its own step and time; steps that were already shipped are left out."""
        last = self._last_step.get(run_id, -1)
        fresh = [row for row in rows if row.step > last]
        if not fresh or not run_id:
            return
        from mlflow.entities import Metric

        metrics = [Metric(name, value, row.time_ms, row.step) for row in fresh for name, value in row.metrics.items()]
        for start in range(0, len(metrics), BATCH):
            part = metrics[start : start + BATCH]
            self._guarded("log_batch", lambda part=part: self._mlflow().log_batch(run_id, metrics=part))
        self._last_step[run_id] = fresh[-1].step

    def log_summary(self, run_id: str, metrics: Mapping[str, float]) -> None:
        """A stage's closing figures, under ``final/``."""
        from mlflow.entities import Metric

        now = time.time_ns() // 1_000_000
        batch = [Metric(f"final/{name}", value, now, 0) for name, value in metrics.items()]
        if batch and run_id:
            self._guarded("log_batch", lambda: self._mlflow().log_batch(run_id, metrics=batch))

    def set_tags(self, run_id: str, tags: Mapping[str, str]) -> None:
        from mlflow.entities import RunTag

        if run_id:
            batch = [RunTag(name, value) for name, value in tags.items()]
            self._guarded("set_tags", lambda: self._mlflow().log_batch(run_id, tags=batch))

    def log_input(self, run_id: str, *, name: str, uri: str, digest: str, context: str) -> None:
        """An input artifact in the run's dataset list: where it lies and its digest, without downloading it."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        source = '{"uri": "%s"}' % uri  # noqa: UP031 - a JSON text, not a message
        dataset = Dataset(name=name, digest=digest, source_type="r1flow_artifact", source=source)
        entry = DatasetInput(dataset, tags=[InputTag("mlflow.data.context", context)])
        if run_id:
            self._guarded("log_inputs", lambda: self._mlflow().log_inputs(run_id, datasets=[entry]))

    def log_file(self, run_id: str, path: Path, artifact_dir: str) -> None:
        if run_id and path.is_file():
            self._guarded("log_artifact", lambda: self._mlflow().log_artifact(run_id, str(path), artifact_dir or None))

    def finish(self, run_id: str, status: str) -> None:
        """Close a run: FINISHED, FAILED or KILLED."""
        if run_id:
            self._guarded("set_terminated", lambda: self._mlflow().set_terminated(run_id, status=status))

    def close_orphans(self) -> int:
        """Runs that still say RUNNING though their process on this host is dead are closed as KILLED; how many."""
        where = f"attributes.status = 'RUNNING' and tags.`r1.host` = '{socket.gethostname()}'"
        runs = self._guarded(
            "search_runs", lambda: self._mlflow().search_runs([self._experiment()], where, max_results=500)
        )
        closed = 0
        for run in runs or ():
            if not psutil.pid_exists(int(run.data.tags.get("r1.pid", "0"))):
                self.finish(run.info.run_id, "KILLED")
                closed += 1
        return closed

    def _start(self, name: str, tags: dict[str, str], params: Mapping[str, object]) -> str:
        from mlflow.entities import Param

        def create() -> str:
            run = self._mlflow().create_run(self._experiment(), run_name=name, tags=tags)
            batch = [Param(key, str(value)) for key, value in params.items()]
            for start in range(0, len(batch), PARAMS):
                self._mlflow().log_batch(run.info.run_id, params=batch[start : start + PARAMS])
            return str(run.info.run_id)

        return self._guarded("create_run", create) or ""

    def _experiment(self) -> str:
        with self._lock:
            if self._experiment_id is None:
                client = self._mlflow()
                found = client.get_experiment_by_name(self.experiment)
                self._experiment_id = (
                    found.experiment_id if found else client.create_experiment(self.experiment, self._artifact_root())
                )
            return str(self._experiment_id)

    def _artifact_root(self) -> str | None:
        """Logs lie beside an SQLite database; a server knows its own place."""
        if not self.uri.startswith("sqlite:///"):
            return None
        return (Path(self.uri.removeprefix("sqlite:///")).parent / "mlflow-artifacts").as_uri()

    def _mlflow(self) -> Any:
        with self._lock:
            if self._client is None:
                logging.getLogger("alembic").setLevel(logging.WARNING)
                logging.getLogger("mlflow").setLevel(logging.WARNING)
                from mlflow.tracking import MlflowClient

                self._client = MlflowClient(self.uri, registry_uri=self.uri)
            return self._client

    def _guarded(self, what: str, call: Callable[[], T]) -> T | None:
        for attempt in (1, 2):
            try:
                with self._lock:
                    return call()
            except Exception as error:  # MLflow raises anything from its own to sqlalchemy's; none may stop a stage
                if attempt == 2:
                    self.failures += 1
                    logger.warning("MLflow at %s: %s failed (%s); the run goes on without it", self.uri, what, error)
                else:
                    time.sleep(0.2)
        return None
