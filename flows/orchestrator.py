"""A Prefect API for a run that was started by hand: the configured server, else one inside this process.

The embedded server is Prefect's own application on a loopback port of this process, with its usual database in
``PREFECT_HOME``: it dies with the run, however the run dies, and `prefect server start` shows its history afterwards.
"""

import contextlib
import logging
import os
import socket
import threading
import time
from collections.abc import Iterator

from components.config.settings import Settings

START_S = 60.0


@contextlib.contextmanager
def orchestrator(settings: Settings) -> Iterator[str]:
    """The API's URL for the time of this block. Set before Prefect is imported anywhere."""
    os.environ.setdefault("PREFECT_HOME", str(settings.home / "prefect"))
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("DO_NOT_TRACK", "1")
    # The progress display speaks for a run that goes well: only trouble reaches the console, all of the log the API.
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "ERROR")
    configured = settings.prefect_api_url or os.environ.get("PREFECT_API_URL", "")
    if configured:
        os.environ["PREFECT_API_URL"] = configured
        yield configured
        return
    with _embedded() as url:
        yield url


@contextlib.contextmanager
def _embedded() -> Iterator[str]:
    import uvicorn
    from prefect.server.api.server import create_app
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/api"
        server = uvicorn.Server(uvicorn.Config(create_app(ephemeral=True), log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="prefect-api", daemon=True)
        thread.start()
        deadline = time.monotonic() + START_S
        while not server.started:
            if not thread.is_alive() or time.monotonic() > deadline:
                raise RuntimeError(
                    f"the embedded Prefect API did not start within {START_S:.0f} s; look into {os.environ['PREFECT_HOME']}, or "
                    "point PREFECT_API_URL at a running server"
                )
            time.sleep(0.02)
        try:
            with temporary_settings({PREFECT_API_URL: url}):
                yield url
        finally:
            _flush_logs()
            server.should_exit = True
            thread.join(timeout=15)


def _flush_logs() -> None:
    """Hand the last log lines to the API before it goes."""
    from prefect.logging.handlers import APILogWorker

    APILogWorker.drain_all(timeout=5)
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
