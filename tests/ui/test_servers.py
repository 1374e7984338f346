"""Prefect's and MLflow's own pages on a run's data, in a real browser."""

import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Ran, need_program
from tests.runs import environment

CHROMIUM = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--virtual-time-budget=30000",
    "--window-size=1400,1000",
]
BIN = Path(sys.executable).parent
PREFECT, MLFLOW = 4231, 5231


@pytest.fixture(scope="module")
def pages(smoke: Ran) -> Iterator[Ran]:
    """Both servers on the smoke run's databases, on loopback ports."""
    need_program("chromium")
    prefect = {
        "PREFECT_HOME": str(smoke.home / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_UI_API_URL": f"http://127.0.0.1:{PREFECT}/api",
        "PREFECT_MEMO_STORE_PATH": str(smoke.home / "memo.toml"),
    }
    mlflow = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    commands = [
        (
            [BIN / "prefect", "server", "start", "--port", str(PREFECT)],
            prefect,
            f"http://127.0.0.1:{PREFECT}/api/health",
        ),
        (
            [
                BIN / "mlflow",
                "ui",
                "--port",
                str(MLFLOW),
                "--backend-store-uri",
                f"sqlite:///{smoke.home / 'mlflow.db'}",
            ],
            mlflow,
            f"http://127.0.0.1:{MLFLOW}/health",
        ),
    ]
    started = []
    for command, extra, _ in commands:
        log = (smoke.home / f"{Path(command[0]).name}.log").open("wb")
        variables = {**environment(smoke.home), **extra, "PATH": f"{BIN}:{os.environ['PATH']}"}
        started.append(subprocess.Popen(command, env=variables, stdout=log, stderr=log, start_new_session=True))
    try:
        for _, _, health in commands:
            _await(health)
        yield smoke
    finally:
        for process in started:
            os.killpg(process.pid, 15)
        for process in started:
            process.wait(timeout=30)


def _await(url: str) -> None:
    deadline = time.monotonic() + 120
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            assert time.monotonic() < deadline, f"{url} did not answer"
            time.sleep(0.5)


def _text(url: str, profile: Path) -> str:
    """What the page says once its scripts have run."""
    done = subprocess.run(
        ["chromium", *CHROMIUM, f"--user-data-dir={profile}", "--dump-dom", url],
        capture_output=True,
        text=True,
        timeout=180,
        check=True,
    )
    return re.sub(r"<[^>]+>", " ", done.stdout)


def test_mlflow_shows_the_parent_run_and_the_champion(pages: Ran, tmp_path: Path) -> None:
    assert "smoke-0" in _text(f"http://127.0.0.1:{MLFLOW}/#/experiments/1/runs", tmp_path / "a")
    model = _text(f"http://127.0.0.1:{MLFLOW}/#/models/r1-smoke", tmp_path / "b")
    assert "champion" in model


def test_prefect_shows_the_flow_run_its_subflows_and_artifacts(pages: Ran, tmp_path: Path) -> None:
    runs = _text(f"http://127.0.0.1:{PREFECT}/runs", tmp_path / "a")
    assert "smoke-0" in runs
    assert "grpo2-smoke" in runs
    assert "promotion" in _text(f"http://127.0.0.1:{PREFECT}/artifacts", tmp_path / "b")
