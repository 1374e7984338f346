"""The one place where MLflow is imported, and what must be in its environment before."""

import logging
import os
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

DEFAULTS = {
    # The default of 7 blocks a caller for four minutes; repetitions are ours, which look first at what has arrived.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_DISABLE_TELEMETRY": "true",  # MLflow heeds DO_NOT_TRACK only where it is the word "true"
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # two lines per stage, into the middle of the progress display
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
}


def open_client(uri: str) -> Any:
    """An MlflowClient for runs and registry at ``uri``. Its first call connects, or fills a new SQLite database.

    Importing the client alone costs as much as all of mlflow (1.5 s and 165 MB, pandas included), so it is put off
    until somebody tracks something.
    """
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    from mlflow.tracking import MlflowClient

    logging.getLogger("mlflow").setLevel(logging.WARNING)  # importing it has set it back
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)
    address = _log_in(uri)
    return MlflowClient(address, registry_uri=address)


def _log_in(uri: str) -> str:
    """A server's address without user and password, which go where MLflow looks for them: its errors quote the address."""
    parts = urlsplit(uri)
    if parts.scheme not in ("http", "https") or parts.username is None:
        return uri
    os.environ["MLFLOW_TRACKING_USERNAME"] = unquote(parts.username)
    os.environ["MLFLOW_TRACKING_PASSWORD"] = unquote(parts.password or "")
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def find_run(client: Any, run: str, experiments: list[str] | None = None) -> str | None:
    """MLflow's id of the run that we know as ``run`` (its tag ``r1.run``), or None. The oldest, should there be several."""
    where = experiments or [experiment.experiment_id for experiment in client.search_experiments()]
    found = client.search_runs(where, f"tags.`r1.run` = '{run}'", max_results=1, order_by=["attributes.start_time ASC"])
    return str(found[0].info.run_id) if found else None
