"""MLflow made to show what an event says. Applying an event twice changes nothing, so whatever is uncertain is repeated.

Runs are known by ids of our own (the tag ``r1.run``): they exist before MLflow can be reached, and outlive its database.
The fluent API is never used: its active run is thread-local and makes stray runs.
"""

import json
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from r1flow.components.tracking.client import find_run, open_client

BATCH = 1000  # metrics per request, MLflow's limit
HOST = "r1.host"  # whose process a run belongs to
PARAMS = 100  # params per request, MLflow's limit
# MLflow's page shows runs and curves first, not chat traces.
KIND = {"mlflow.experimentKind": "custom_model_development"}
REFUSALS = frozenset({"INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST"})  # answers that no repetition changes
Event = dict[str, Any]
Point = Sequence[Any]  # name, value, time in ms, step


class Mirror:
    """One experiment on one tracking server or database. Methods raise whatever MLflow raises; one call at a time."""

    def __init__(self, uri: str, experiment: str) -> None:
        self.uri = uri
        self.experiment = experiment
        self.lock = threading.RLock()
        self._client: Any = None
        self._experiment_id: str | None = None
        self._ids: dict[str, str] = {}

    def apply(self, event: Event, folder: Path) -> None:
        """Carry out one event of an outbox; ``folder`` is where its files lie."""
        with self.lock:
            if event["do"] == "start":
                self._start(event)
            elif (run_id := self.find(event["run"])) is not None:  # else its start was refused: nothing can follow
                do: dict[str, Callable[[str, Event, Path], None]] = {
                    "metrics": lambda run_id, event, _: self.log_points(run_id, event["points"]),
                    "tags": lambda run_id, event, _: self.set_tags(run_id, event["tags"]),
                    "input": self._input,
                    "file": self._file,
                    "finish": self._finish,
                }
                do[event["do"]](run_id, event, folder)

    def reachable(self) -> bool:
        try:
            self.client().search_experiments(max_results=1)
        except Exception:  # whatever it is, MLflow does not answer
            return False
        return True

    def find(self, run: str) -> str | None:
        """MLflow's id of our run ``run``."""
        with self.lock:
            if run not in self._ids and (found := find_run(self.client(), run, [self._experiment()])):
                self._ids[run] = found
            return self._ids.get(run)

    def create(self, event: Event) -> str:
        """A new MLflow run for a start event."""
        parent = self.find(event["parent"]) if event["parent"] else None
        tags = {"r1.run": event["run"], **({"mlflow.parentRunId": parent} if parent else {}), **event["tags"]}
        created = self.client().create_run(
            self._experiment(), start_time=event["at"], run_name=event["name"], tags=tags
        )
        self._ids[event["run"]] = str(created.info.run_id)
        return self._ids[event["run"]]

    def log_points(self, run_id: str, points: Sequence[Point]) -> None:
        """MLflow keeps equal points (name, value, time, step) once, so sending them again adds none."""
        from mlflow.entities import Metric

        for start in range(0, len(points), BATCH):
            batch = [Metric(*point) for point in points[start : start + BATCH]]
            self.client().log_batch(run_id, metrics=batch)

    def log_params(self, run_id: str, params: Iterable[tuple[str, str]]) -> None:
        from mlflow.entities import Param

        items = [Param(key, str(value)) for key, value in params]
        for start in range(0, len(items), PARAMS):
            self.client().log_batch(run_id, params=items[start : start + PARAMS])

    def set_tags(self, run_id: str, tags: dict[str, str]) -> None:
        from mlflow.entities import RunTag

        self.client().log_batch(run_id, tags=[RunTag(name, value) for name, value in tags.items()])

    def log_input(self, run_id: str, *, name: str, uri: str, digest: str, context: str) -> None:
        """An input artifact in the run's dataset list: where it lies and its digest, without downloading it.

        The source types are MLflow's own, so that ``mlflow.data.get_source`` resolves them.
        """
        from mlflow.entities import Dataset, DatasetInput, InputTag

        kind = "s3" if uri.startswith("s3://") else "local"
        dataset = Dataset(name=name, digest=digest, source_type=kind, source=json.dumps({"uri": uri}))
        entry = DatasetInput(dataset, tags=[InputTag("mlflow.data.context", context)])
        self.client().log_inputs(run_id, datasets=[entry])

    def terminate(self, run_id: str, status: str, at: int | None = None) -> None:
        self.client().set_terminated(run_id, status=status, end_time=at)

    def running(self, host: str) -> list[Any]:
        """Runs of this host that say RUNNING."""
        return self._running(f"tags.`{HOST}` = '{host}'")

    def running_of(self, run: str) -> list[Any]:
        """Our run ``run`` and its stages, as far as they say RUNNING."""
        return [*self._running(f"tags.`r1.run` = '{run}'"), *self._running(f"tags.`r1.run` LIKE '{run}/%'")]

    def _running(self, where: str) -> list[Any]:
        where = f"attributes.status = 'RUNNING' and {where}"
        return list(self.client().search_runs([self._experiment()], where, max_results=500))

    def client(self) -> Any:
        with self.lock:
            if self._client is None:
                self._client = open_client(self.uri)
            return self._client

    def _start(self, event: Event) -> None:
        if (run_id := self.find(event["run"])) is None:
            run_id = self.create(event)
        else:  # a stage's second try in one run, or an event that is repeated
            self.client().update_run(run_id, status="RUNNING")
            self.set_tags(run_id, event["tags"])
        self.log_params(run_id, event["params"].items())

    def _input(self, run_id: str, event: Event, folder: Path) -> None:
        self.log_input(run_id, **{key: event[key] for key in ("name", "uri", "digest", "context")})

    def _file(self, run_id: str, event: Event, folder: Path) -> None:
        self.client().log_artifact(run_id, str(folder / event["path"]), event["dir"] or None)

    def _finish(self, run_id: str, event: Event, folder: Path) -> None:
        self.terminate(run_id, event["status"], event["at"])

    def _experiment(self) -> str:
        if self._experiment_id is None:
            self._experiment_id = self._found_experiment() or self._new_experiment()
        return self._experiment_id

    def _found_experiment(self) -> str | None:
        found = self.client().get_experiment_by_name(self.experiment)
        return str(found.experiment_id) if found else None

    def _new_experiment(self) -> str:
        from mlflow.exceptions import MlflowException

        try:
            return str(self.client().create_experiment(self.experiment, self._artifact_root(), KIND))
        except MlflowException:
            if found := self._found_experiment():  # another process was quicker
                return found
            raise

    def _artifact_root(self) -> str | None:
        """Logs lie beside an SQLite database; a server knows its own place."""
        if not self.uri.startswith("sqlite:///"):
            return None
        return (Path(self.uri.removeprefix("sqlite:///")).parent / "mlflow-artifacts").as_uri()
