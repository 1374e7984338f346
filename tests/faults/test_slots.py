"""Device slots of a Prefect server: never more holders than the limit, also when holders are killed."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate

from tests.faults.platform import Platform, platform
from tests.runs import ROOT, environment

pytestmark = pytest.mark.slow

HOLDER = """
import os, signal, sys, time
from r1flow.tasks.policy import device_slots
limit, log, dies = sys.argv[1], sys.argv[2], sys.argv[3] == "dies"
def note(what):
    with open(log, "a") as lines:
        lines.write(f"{time.time()} {what}\\n")
with device_slots(limit, 1):
    note("in")
    time.sleep(1.0)
    note("out")  # before the slot is free again; nothing is held after a kill either
    if dies:
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    folder = tmp_path_factory.mktemp("slots")
    (folder / "home").mkdir()
    with platform(folder / "home") as running, running.client() as client:
        client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name="two", limit=2))
        yield running


def holder(here: Platform, limit: str, log: Path, dies: bool = False) -> "subprocess.Popen[bytes]":
    variables = {**environment(here.home), "PREFECT_API_URL": here.url}
    arguments = [sys.executable, "-c", HOLDER, limit, str(log), "dies" if dies else "lives"]
    return subprocess.Popen(arguments, env=variables, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def test_six_runs_share_two_slots_and_one_of_them_is_killed(here: Platform, tmp_path: Path) -> None:
    log = tmp_path / "log"
    running = [holder(here, "two", log, dies=number == 0) for number in range(6)]
    codes = [process.wait(timeout=240) for process in running]
    assert sorted(codes) == [-9, 0, 0, 0, 0, 0]
    events = sorted(line.split() for line in log.read_text().splitlines())
    assert len(events) == 12
    inside, most = 0, 0
    for _, what in events:
        inside += 1 if what == "in" else -1
        most = max(most, inside)
    assert most == 2


def test_a_limit_that_does_not_exist_is_an_error_before_any_work(here: Platform, tmp_path: Path) -> None:
    process = holder(here, "absent", tmp_path / "log")
    _, said = process.communicate(timeout=120)
    assert process.returncode == 1
    assert b"absent" in said
    assert not (tmp_path / "log").exists()
