"""Runs and stages as MLflow is to show them. Nothing here waits for MLflow: everything goes into the run's outbox first.

A tracking server that is down neither slows nor stops a stage: what it misses waits on the disk and is sent when it
answers again, by this process, by the next run or by ``r1 reindex``. Ids are chosen here, so they need no server.
"""

import logging
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import RLock

from r1flow.components.core.errors import ConfigError
from r1flow.components.core.redact import redact
from r1flow.components.core.spool import SpoolRow, clean
from r1flow.components.tracking.mirror import Event, Mirror
from r1flow.components.tracking.outbox import Outbox
from r1flow.components.tracking.ship import Delivery, Outage, Shipper

CLOSE_S = 60.0
"""How long the end of a run waits for a server that answers; what is left then goes out with the next run."""

logger = logging.getLogger(__name__)


class Tracking:
    """One tracking server or database, one experiment on it, and the folder of outboxes on this machine."""

    def __init__(self, uri: str, experiment: str, outboxes: Path) -> None:
        self.uri = uri
        self._outboxes = outboxes
        self._delivery = Delivery(Mirror(uri, experiment))
        self._lock = RLock()
        self._last_step: dict[str, int] = {}
        self._curves: dict[str, set[str]] = {}
        self._outbox: Outbox | None = None
        self._shipper: Shipper | None = None
        self._closed = False

    @property
    def failures(self) -> int:
        """Attempts that MLflow refused or did not answer."""
        return self._delivery.failures

    def start_parent(self, name: str, *, tags: Mapping[str, str], params: Mapping[str, object], sweep: str = "") -> str:
        """A run's own entry; the id under which it and its stages are known (MLflow's tag ``r1.run``).

        ``sweep``: the id of the entry that it stands below, if it is one point of a sweep.
        """
        return self._start(uuid.uuid4().hex, sweep, name, tags, params)

    def start_child(self, parent: str, name: str, *, tags: Mapping[str, str], params: Mapping[str, object]) -> str:
        """A stage's entry below ``parent``, known as ``<parent>/<name>``: its second try in one run is the same entry."""
        return self._start(f"{parent}/{name}", parent, name, tags, params)

    def log_rows(self, run: str, rows: Sequence[SpoolRow]) -> None:
        """Spooled steps, each with its own step and time; steps that were already taken are left out."""
        points: list[tuple[str, float, int, int]] = []
        with self._lock:
            for row in rows:
                if row.step > self._last_step.get(run, -1):
                    self._last_step[run] = row.step
                    self._curves.setdefault(run, set()).update(row.metrics)
                    points += [(name, value, row.time_ms, row.step) for name, value in row.metrics.items()]
        if points:
            self._write({"do": "metrics", "run": run, "points": points})

    def log_summary(self, run: str, metrics: Mapping[str, float]) -> None:
        """A stage's closing metrics; what has a curve in this run is there already, as the curve's last point."""
        try:
            cleaned = clean(metrics)
        except ConfigError as error:
            self._delivery.failures += 1
            logger.warning("the closing metrics of %s cannot be logged: %s", run, error)
            return
        drawn = self._curves.get(run, set())
        if points := [(name, value, _now(), 0) for name, value in cleaned.items() if name not in drawn]:
            self._write({"do": "metrics", "run": run, "points": points})

    def set_tags(self, run: str, tags: Mapping[str, str]) -> None:
        self._write({"do": "tags", "run": run, "tags": dict(tags)})

    def log_input(self, run: str, *, name: str, uri: str, digest: str, context: str) -> None:
        """An input artifact in the run's dataset list: where it lies and its digest."""
        self._write({"do": "input", "run": run, "name": name, "uri": uri, "digest": digest, "context": context})

    def log_file(self, run: str, path: Path, artifact_dir: str) -> None:
        """A copy of the file is kept until it has been sent; one that is not there is left out."""
        if path.is_file() and not self._closed:
            self._write({"do": "file", "run": run, "path": self._box().keep(path), "dir": artifact_dir})

    def log_table(self, run: str, path: Path) -> None:
        """A JSON file of ``columns`` and ``data``; the tag makes MLflow's page show it as a table."""
        if path.is_file():
            self.log_file(run, path, "")
            self.set_tags(run, {"mlflow.loggedArtifacts": f'[{{"path": "{path.name}", "type": "table"}}]'})

    def finish(self, run: str, status: str) -> None:
        """Close a run or a stage: FINISHED, FAILED or KILLED."""
        self._write({"do": "finish", "run": run, "status": status, "at": _now()})

    def flush(self, timeout_s: float = CLOSE_S) -> bool:
        """Wait until MLflow has everything; False where it does not answer."""
        return self._shipper is None or self._shipper.flush(timeout_s)

    def close(self) -> None:
        """The end of this process's run: give MLflow a moment, leave on the disk what it could not take."""
        with self._lock:
            shipper, outbox, self._shipper, self._outbox = self._shipper, self._outbox, None, None
            self._closed = True
        if shipper is not None and outbox is not None:
            delivered = shipper.close(CLOSE_S)
            outbox.close(delivered=delivered)
            if not delivered:
                where = redact(self.uri)
                logger.warning("MLflow at %s misses some of this run; the next run or `r1 reindex` sends it", where)

    def recover(self) -> int:
        """Send what dead processes left behind and close their runs as KILLED; how many were closed."""
        try:
            return self._delivery.recover(self._outboxes)
        except Outage:  # counted and logged there
            return 0

    def kill(self, run: str) -> int:
        """Close as KILLED what MLflow shows as running of a run whose process is known to be dead; how many were closed."""
        try:
            return self._delivery.kill(run)
        except Outage:  # counted and logged there
            return 0

    def _start(self, run: str, parent: str, name: str, tags: Mapping[str, str], params: Mapping[str, object]) -> str:
        texts = {key: str(value) for key, value in params.items()}
        event = {"do": "start", "run": run, "parent": parent, "name": name, "tags": dict(tags), "params": texts}
        self._write({**event, "at": _now()})
        return run

    def _write(self, event: Event) -> None:
        if self._closed:  # a stage that was cancelled may end after its run
            logger.warning("%s of %s came after the end of its run: MLflow does not show it", event["do"], event["run"])
            return
        end = self._box(event["run"]).write(event)
        if self._shipper is not None:  # None: closed meanwhile
            self._shipper.wrote(end)

    def _box(self, run: str = "") -> Outbox:
        with self._lock:
            if self._outbox is None:
                self._outbox = Outbox(self._outboxes, run.partition("/")[0] or uuid.uuid4().hex)
                self._shipper = Shipper(self._delivery, self._outbox.folder)
            return self._outbox


def _now() -> int:
    return time.time_ns() // 1_000_000
