"""A Prefect server with a worker, as a machine has them, for tests of what happens to runs there."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.settings import PREFECT_API_URL, temporary_settings

from r1flow.components.core.spool import read_spool
from tests.processes import descendants, kill, survivors, wait_until, with_variable
from tests.runs import ROOT, environment

BIN = Path(sys.executable).parent


@dataclass
class Platform:
    """Addresses and processes; ``home`` is the R1_HOME of what the worker runs."""

    home: Path
    url: str
    serve: Callable[[], subprocess.Popen[bytes]]
    server: subprocess.Popen[bytes]
    worker: subprocess.Popen[bytes]

    def server_is_down(self, seconds: float) -> None:
        """Kill the server; after so long start it again on its database."""
        _end(self.server)
        time.sleep(seconds)
        self.server = self.serve()

    @contextmanager
    def client(self) -> Iterator[SyncPrefectClient]:
        with temporary_settings({PREFECT_API_URL: self.url}), get_client(sync_client=True) as client:
            yield client

    def start(self, deployment: str, parameters: dict[str, Any]) -> UUID:
        """A run of a deployment; its id."""
        with self.client() as client:
            found = client.read_deployment_by_name(deployment)
            return client.create_flow_run_from_deployment(found.id, parameters=parameters).id

    def state(self, run: UUID) -> str:
        with self.client() as client:
            return client.read_flow_run(run).state_name or ""

    def has_ended(self, run: UUID) -> bool:
        with self.client() as client:
            state = client.read_flow_run(run).state
        return state is not None and state.is_final()

    def family(self) -> dict[int, str]:
        """Every process of a flow run: what has this home in its environment, the worker and its server apart."""
        apart = (self.worker.pid, self.server.pid, os.getpid())
        found = with_variable("R1_HOME", str(self.home)).items()
        return {process.pid: " ".join(line)[:120] for process, line in found if process.pid not in apart}


@contextmanager
def platform(home: Path) -> Iterator[Platform]:
    """Server, pool and worker, with every deployment of prefect.yaml; all gone at the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}/api"
    base = {**environment(home), "PATH": f"{BIN}:{os.environ['PATH']}"}
    server_env = {
        **{k: v for k, v in base.items() if k != "R1_HOME"},
        "PREFECT_HOME": str(home.parent / "server"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_MEMO_STORE_PATH": str(home.parent / "memo.toml"),
    }
    env = {**base, "PREFECT_API_URL": url, "PREFECT_HOME": str(home.parent / "client")}

    def serve() -> subprocess.Popen[bytes]:
        started = _start(["prefect", "server", "start", "--port", str(port)], server_env, home.parent / "server.log")
        wait_until(lambda: _answers(port), 120, "the Prefect server did not start")
        return started

    running: Platform | None = None
    processes = [serve()]
    try:
        _run("prefect", "work-pool", "create", "cpu", "--type", "process", env=env)
        _run("prefect", "work-pool", "create", "gpu", "--type", "process", env=env)
        _run("prefect", "--no-prompt", "deploy", "--all", env=env)
        worker = _start(["prefect", "worker", "start", "--pool", "cpu"], env, home.parent / "worker.log")
        processes.append(worker)
        running = Platform(home, url, serve, processes[0], worker)
        yield running
    finally:
        if running is not None:
            processes[0] = running.server
        for process in reversed(processes):  # the worker first: it ignores one SIGTERM when its server is gone
            _end(process)


def training_step(home: Path, step: int) -> bool:
    """Whether an RL stage has come to ``step``."""
    return any(row.step >= step for path in home.glob("work/rl-*/metrics.jsonl") for row in read_spool(path))


def _start(argv: list[str], env: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    command = [str(BIN / argv[0]), *argv[1:]]
    with log.open("ab") as out:
        return subprocess.Popen(command, env=env, cwd="/", stdout=out, stderr=out, start_new_session=True)


def _run(*argv: str, env: dict[str, str]) -> None:
    done = subprocess.run([BIN / argv[0], *argv[1:]], env=env, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _end(process: subprocess.Popen[bytes]) -> None:
    family = descendants(process.pid)
    try:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=20)
    except ProcessLookupError:
        pass
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=20)
    kill(left.pid for left in survivors(family, 0))
