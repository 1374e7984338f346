"""Start Prefect's API inside this process, so that it cannot outlive it.

Prefect 3.7 starts its ephemeral server as a plain subprocess: a kill -9 of the flow process leaves it running, and it
imports everything a second time. Here the same ASGI app runs in a thread on a loopback port.
"""

import contextvars
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import uvicorn

# What the user has set wins over these.
_DEFAULTS = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",  # otherwise the server sends to prefect.io
    "DO_NOT_TRACK": "1",  # the same for the client
    "PREFECT_SERVER_UI_ENABLED": "false",
    "PREFECT_SERVER_REGISTER_BLOCKS_ON_START": "false",  # 0.4 s for block types that nothing here uses
    "PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED": "false",  # automations need a standing server
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_ENABLED": "false",  # task states come from the recorder, not from here
    "PREFECT_SERVER_LOGGING_LEVEL": "ERROR",
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",  # threads beside the flow log to the console alone
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",  # the API keeps every line; the console shows our own words
}


@contextmanager
def orchestrator(home: Path, configured: str = "", *, start_timeout: float = 120.0) -> Iterator[str]:
    """Yield the URL of a Prefect API that lives in this process, or of the server that ``configured`` or PREFECT_API_URL name.

    Enter before the first `import prefect`: settings are read once, then. State persists in `home`/prefect.db, where a
    later `prefect server start` with the same PREFECT_HOME shows it. Leaving sends the queued logs and events before
    the server stops; in the other order Prefect reconnects for minutes.

    Raises: RuntimeError when the server ends while starting, TimeoutError when it takes longer than `start_timeout`.
    """
    if configured := configured or os.environ.get("PREFECT_API_URL", ""):
        os.environ["PREFECT_API_URL"] = configured
        yield configured
        return
    home = home.resolve()
    home.mkdir(parents=True, exist_ok=True)
    # With its protocol named asyncio switches Nagle's algorithm off; without, every answer waits 40 ms for an acknowledgement.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))  # bound first: the address must be known before Prefect reads its settings
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/api"
        _set_environment(home, url)
        from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

        # The heartbeat thread is joined in whole seconds: a second lost per flow run, and nothing watches it here.
        with temporary_settings(updates={PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
            server, thread = _serve(listener, home, start_timeout)
            try:
                yield url
            finally:
                _drain()
                _await_recorder(timeout=10)
                server.should_exit = True
                thread.join(timeout=10)
                del os.environ["PREFECT_API_URL"]


def _set_environment(home: Path, url: str) -> None:
    os.environ["PREFECT_API_URL"] = url  # in the environment, not in a context: bare threads must find this server too
    os.environ.setdefault("PREFECT_HOME", str(home))
    # Prefect 3.7.7 derives these two from ~/.prefect even where PREFECT_HOME is set.
    os.environ.setdefault("PREFECT_RESULTS_LOCAL_STORAGE_PATH", str(home / "storage"))
    os.environ.setdefault("PREFECT_SERVER_MEMO_STORE_PATH", str(home / "memo_store.toml"))
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)


def _serve(listener: socket.socket, home: Path, start_timeout: float) -> tuple["uvicorn.Server", threading.Thread]:
    import filelock
    import uvicorn
    from prefect.server.api.server import create_app

    _lock_when_transactions_begin()
    config = uvicorn.Config(
        create_app(ephemeral=True, final=True),
        log_level="error",
        log_config=None,
        lifespan="on",
        access_log=False,
        timeout_graceful_shutdown=2,
    )
    server = uvicorn.Server(config)
    context = contextvars.copy_context()  # Prefect's settings are a context variable
    thread = threading.Thread(target=context.run, args=(server.run, [listener]), name="prefect-api", daemon=True)
    # Two processes that migrate one new database break each other.
    with filelock.FileLock(home / "start.lock", timeout=start_timeout):
        thread.start()
        deadline = time.monotonic() + start_timeout
        while not server.started:
            if not thread.is_alive():
                raise RuntimeError(f"the Prefect API ended while starting on {home}/prefect.db; its log is above")
            if time.monotonic() > deadline:
                raise TimeoutError(f"the Prefect API did not start within {start_timeout:.0f} s on {home}/prefect.db")
            time.sleep(0.02)
    return server, thread


def _lock_when_transactions_begin() -> None:
    """Take SQLite's write lock when a transaction begins, and wait for it there.

    Prefect 3.7.7 begins deferred: a request that reads and then writes fails at once with "database is locked" where
    another has written in between, the server answers 503, and the client sleeps two seconds before it asks again.
    """
    from prefect.server.database.configurations import AioSqliteConfiguration

    begin = AioSqliteConfiguration.begin_transaction

    def begin_locked(self: AioSqliteConfiguration, session: Any, with_for_update: bool = True) -> Any:
        return begin(self, session, with_for_update=True)

    AioSqliteConfiguration.begin_transaction = begin_locked  # type: ignore[method-assign]


def _drain() -> None:
    """Send queued logs and events while there is a server to take them."""
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    APILogWorker.drain_all(timeout=5)
    EventsWorker.drain_all(timeout=5)


def _await_recorder(timeout: float) -> None:
    """Wait until the server has written the task states that it received; what is still queued at its end is lost."""
    from prefect.server.utilities.messaging.memory import Topic

    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if all(sub._queue.empty() for sub in list(Topic.by_name("events")._subscriptions)):
            break
        time.sleep(0.05)
    time.sleep(0.2)  # the state that was taken from the queue last is being written
