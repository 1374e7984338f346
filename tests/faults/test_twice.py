"""One recipe started twice at once: every stage is computed once. A run that is paused past its lease changes nothing."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from r1flow.components.core.spool import read_spool
from r1flow.components.store.objects import open_store
from r1flow.components.tracking.promotions import promotions
from tests.fakes.s3_server import CREDENTIALS, s3_server
from tests.runs import ROOT, ZERO, environment, options

SETTINGS = ["r1_zero.steps=8", "r1_zero.checkpoint_every=2", "r1_zero.min_pass_rate=0.0"]
MODEL = "r1-smoke"
LEASE_S = 10.0
R1 = (
    "import sys\n"
    "from r1flow.components.store.lease import Lease\n"
    f"Lease.__init__.__kwdefaults__['ttl_s'] = {LEASE_S}\n"
    "from r1flow.cli.main import main\n"
    "main()\n"
)


@pytest.fixture(params=["file", pytest.param("s3", marks=pytest.mark.slow)])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of an empty store, on a disk and on an S3 server."""
    if request.param == "file":
        yield (tmp_path / "store").as_uri()
        return
    with s3_server() as (host, port):
        endpoint = f"http://{host}:{port}"
        for name, value in (CREDENTIALS | {"AWS_ENDPOINT_URL": endpoint}).items():
            monkeypatch.setenv(name, value)
        urllib.request.urlopen(urllib.request.Request(f"{endpoint}/twice", method="PUT")).close()
        yield f"s3://twice/{tmp_path.name}"


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[bytes]]]:
    processes: list[subprocess.Popen[bytes]] = []
    yield processes
    for process in processes:
        process.kill()
        process.wait(timeout=30)


@pytest.mark.slow
def test_the_same_recipe_started_twice_at_once_computes_every_stage_once(
    store: str, tmp_path: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    for name in "ab":
        started.append(_start(tmp_path / name, store))
    runs = [_summary(process, tmp_path / name) for process, name in zip(started, "ab", strict=True)]
    computed = [(s["ref"]["kind"], s["ref"]["fingerprint"]) for run in runs for s in run["stages"] if not s["reused"]]
    assert len(computed) == len(set(computed))
    assert set(computed) == {(s["ref"]["kind"], s["ref"]["fingerprint"]) for run in runs for s in run["stages"]}
    assert len(promotions(open_store(store), MODEL)) == 1
    assert open_store(store).list("leases") == []


@pytest.mark.slow
def test_a_run_that_wakes_up_after_its_lease_went_to_another_changes_nothing(
    store: str, tmp_path: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    home = tmp_path / "a"
    paused = _start(home, store)
    started.append(paused)
    deadline = time.monotonic() + 240
    while not any(row.step >= 3 for path in home.glob("work/rl-*/metrics.jsonl") for row in read_spool(path)):
        assert paused.poll() is None, (tmp_path / "a" / "log.txt").read_text()[-3000:]
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(paused.pid, signal.SIGSTOP)  # its program goes on, as on a machine that is cut off
    started.append(_start(tmp_path / "b", store))
    other = _summary(started[1], tmp_path / "b")
    assert not {s["name"]: s["reused"] for s in other["stages"]}["r1_zero"]
    before = _content(store)
    os.kill(paused.pid, signal.SIGCONT)
    late = _summary(paused, tmp_path / "a")
    assert _content(store) == before
    assert {s["name"]: s["reused"] for s in late["stages"]}["r1_zero"]
    assert [c["uri"] for c in late["champions"]] == [c["uri"] for c in other["champions"]] != []


def _start(home: Path, store: str) -> subprocess.Popen[bytes]:
    home.mkdir()
    sets = options([*SETTINGS, f"store={store}"])
    with (home / "log.txt").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-c", R1, "run", ZERO, *sets, "--json", str(home / "summary.json")],
            env=environment(home),
            cwd=ROOT,
            stdout=log,
            stderr=log,
        )


def _summary(process: subprocess.Popen[bytes], home: Path) -> dict[str, Any]:
    assert process.wait(timeout=400) == 0, (home / "log.txt").read_text()[-4000:]
    result: dict[str, Any] = json.loads((home / "summary.json").read_text())
    return result


def _content(uri: str) -> dict[str, str]:
    """Digests of everything that others can see: artifacts, checkpoints, promotions."""
    store = open_store(uri)
    return {key: store.sha256(key) for top in ("artifacts", "checkpoints", "promotions") for key in store.list(top)}
