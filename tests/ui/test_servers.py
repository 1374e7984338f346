"""Prefect's and MLflow's own pages on a run's data, in a real browser."""

import os
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.conftest import Ran, need_program
from tests.runs import environment

CHROMIUM = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
APPEARS_MS = 90_000
"""How long a page may take until it says what is asked for: on a busy machine its scripts alone take many seconds."""
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


@pytest.fixture
def page() -> Iterator[Page]:
    """A page of Debian's chromium; nothing is downloaded."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=need_program("chromium"), args=CHROMIUM)
        try:
            yield browser.new_page(viewport={"width": 1400, "height": 1000})
        finally:
            browser.close()


def _says(page: Page, url: str, *wanted: str) -> None:
    """Open ``url`` and wait until the page shows every one of the texts."""
    page.goto(url)
    for text in wanted:
        expect(page.locator("body")).to_contain_text(text, timeout=APPEARS_MS)


def _stage(pages: Ran) -> str:
    """The id of the R1-Zero run that computed; other tests may have let later runs reuse or change it."""
    with closing(sqlite3.connect(pages.home / "mlflow.db")) as database:
        return str(
            database.execute("select run_uuid from runs where name = 'r1_zero' order by start_time limit 1").fetchone()[
                0
            ]
        )


def test_mlflow_shows_the_parent_run_and_the_champion(pages: Ran, page: Page) -> None:
    _says(page, f"http://127.0.0.1:{MLFLOW}/#/experiments/1/runs", "smoke-0")
    _says(page, f"http://127.0.0.1:{MLFLOW}/#/models/r1-smoke", "champion")


def test_mlflow_draws_the_curves_of_a_stage(pages: Ran, page: Page) -> None:
    stage = _stage(pages)
    _says(page, f"http://127.0.0.1:{MLFLOW}/#/experiments/1/runs/{stage}/model-metrics", "clip_ratio", "preflight")
    expect(page.locator(".js-plotly-plot").first).to_be_visible(timeout=APPEARS_MS)


def test_mlflow_shows_sampled_completions_as_a_table(pages: Ran, page: Page) -> None:
    stage = _stage(pages)
    url = f"http://127.0.0.1:{MLFLOW}/#/experiments/1/runs/{stage}/artifacts/completions.json"
    _says(page, url, "prompt", "advantage", "<think>")


def test_prefect_shows_the_flow_run_its_subflows_and_artifacts(pages: Ran, page: Page) -> None:
    _says(page, f"http://127.0.0.1:{PREFECT}/runs", "smoke-0", "promote r1-smoke", "distilled")
    _says(page, f"http://127.0.0.1:{PREFECT}/artifacts", "promotion")
