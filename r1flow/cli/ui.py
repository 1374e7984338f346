"""``r1 ui``: the pages of Prefect, of MLflow and of the reports on this home's data, until Ctrl-C."""

import json
import os
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from r1flow.components.core.redact import redact
from r1flow.components.evals.report.site import Site, served
from r1flow.components.processes.probe import answers
from r1flow.components.processes.servers import (
    LOOPBACK,
    Server,
    Servers,
    free_port,
    interrupted_by_signals,
    plain_environment,
)
from r1flow.components.processes.workplace import locked
from r1flow.components.recipe.settings import Settings
from r1flow.components.store.objects import open_store

PREFECT_PORT, MLFLOW_PORT, REPORT_PORT = 4200, 5000, 4300
ADDRESSES = "addresses.json"


def show_pages() -> None:
    """Start what does not run yet, print the addresses, wait; everything that was started here ends with this process.

    Servers that R1_PREFECT_API_URL, PREFECT_API_URL and R1_MLFLOW_URI name are used as they are. Where another `r1 ui` of
    this home runs, its addresses are printed. Raises ServerFailed, with the end of its log, where a server does not start.
    """
    settings = Settings()
    settings.prepare()
    console = Console()
    folder = settings.home / "ui"
    interrupted_by_signals()
    with locked(folder) as mine:
        if not mine:
            console.print(_table(json.loads((folder / ADDRESSES).read_text())))
            console.print("another `r1 ui` serves these already")
            return
        (folder / ADDRESSES).write_text("{}")  # until all are known
        try:
            _serve(settings, folder, console)
        except KeyboardInterrupt:
            console.print("stopped")


def _serve(settings: Settings, folder: Path, console: Console) -> None:
    addresses: dict[str, str] = {}
    site = Site(open_store(settings.store_uri), settings.cache)
    with Servers(folder) as servers, served(site, free_port(REPORT_PORT)) as reports:
        for name, found, server in (_prefect(settings), _mlflow(settings)):
            if server is not None:
                servers.start(server)
            reached = server is not None or answers(found)
            addresses[name] = redact(found) if reached else f"{redact(found)} does not answer"
        addresses["reports"] = reports
        (folder / ADDRESSES).write_text(json.dumps(addresses))
        console.print(_table(addresses))
        console.print("Ctrl-C stops what was started here")
        servers.watch()


def _prefect(settings: Settings) -> tuple[str, str, Server | None]:
    """Prefect's address, and its server on this home's database where nobody has named another."""
    if configured := settings.prefect_api_url or os.environ.get("PREFECT_API_URL", ""):
        return "Prefect", configured.rstrip("/").removesuffix("/api"), None
    port = free_port(PREFECT_PORT)
    address = f"http://{LOOPBACK}:{port}"
    home = settings.home / "prefect"
    environment = {
        **plain_environment(),
        "PREFECT_HOME": str(home),
        "PREFECT_SERVER_MEMO_STORE_PATH": str(home / "memo_store.toml"),
        "PREFECT_RESULTS_LOCAL_STORAGE_PATH": str(home / "storage"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS": address,  # by default every web page may ask it
        "PREFECT_UI_API_URL": f"{address}/api",
    }
    command = (sys.executable, "-m", "prefect", "server", "start", "--host", LOOPBACK, "--port", str(port))
    return "Prefect", address, Server("prefect", command, environment, ready=f"{address}/api/health")


def _mlflow(settings: Settings) -> tuple[str, str, Server | None]:
    """MLflow's address, and its server on this home's database where the tracking URI is no server's."""
    if settings.tracking_uri.startswith(("http://", "https://")):
        return "MLflow", settings.tracking_uri, None
    port = free_port(MLFLOW_PORT)
    address = f"http://{LOOPBACK}:{port}"
    environment = {
        **plain_environment(),
        "MLFLOW_BACKEND_STORE_URI": settings.tracking_uri,  # not an argument: it may hold a password
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # eight worker processes for what nothing here uses
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    command = (sys.executable, "-m", "mlflow", "server", "--host", LOOPBACK, "--port", str(port), "--workers", "1")
    return "MLflow", address, Server("mlflow", command, environment, ready=f"{address}/health")


def _table(addresses: dict[str, str]) -> Table:
    table = Table("pages", "address", box=None)
    for name, address in addresses.items():
        table.add_row(name, address)
    return table
