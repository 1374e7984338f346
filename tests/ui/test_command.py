"""`r1 ui`: the servers of one command, and nothing of them afterwards."""

import json
import signal
import subprocess
import time
import urllib.request
from pathlib import Path

import psutil

from tests.conftest import Ran
from tests.processes import descendants, survivors, told
from tests.runs import ROOT, command, environment, r1

START_S = 240.0


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=60) as answer:
        return str(answer.read().decode())


def test_one_command_shows_prefect_mlflow_and_the_reports_and_leaves_nothing(smoke: Ran, tmp_path: Path) -> None:
    output = tmp_path / "output"
    with output.open("wb") as file:
        process = subprocess.Popen(command("ui"), env=environment(smoke.home), cwd=ROOT, stdout=file, stderr=file)
    try:
        deadline = time.monotonic() + START_S
        while "Ctrl-C" not in output.read_text():
            assert process.poll() is None, output.read_text()
            assert time.monotonic() < deadline, output.read_text()
            time.sleep(0.2)
        addresses = json.loads((smoke.home / "ui" / "addresses.json").read_text())
        assert all(address in output.read_text() for address in addresses.values())

        assert "Prefect" in get(addresses["Prefect"])
        assert "MLflow" in get(addresses["MLflow"])
        index = get(addresses["reports"])
        assert "smoke, seed 0" in index
        report = next(s["ref"]["fingerprint"] for s in smoke.summary["stages"] if s["name"] == "report")
        assert smoke.summary["run"] in get(f"{addresses['reports']}/{report[:16]}")

        second = r1(smoke.home, "ui")
        assert second.returncode == 0
        assert addresses["reports"] in second.stdout

        everything = descendants(process.pid)
        sockets = told(everything, lambda one: one.net_connections("inet")).values()
        listening = [c.laddr.ip for connections in sockets for c in connections if c.status == psutil.CONN_LISTEN]
        assert set(listening) <= {"127.0.0.1"}  # nothing where the kernel does not tell whose a socket is
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        assert survivors(everything, 0) == []
    finally:
        process.kill()
        process.wait(30)
