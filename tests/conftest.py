"""Shared by all tests: nothing leaves the machine, nothing is skipped in silence."""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest
from filelock import FileLock

from tests.runs import run_recipe
from tests.security.canaries import SECRETS

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("PREFECT_LOGGING_LEVEL", "ERROR")
os.environ.setdefault("PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW", "ignore")


def not_installed(name: str, fix: str = "`make system` installs it where apt and root are at hand") -> NoReturn:
    """Something that a test needs is missing: the test is skipped by name, or fails in CI."""
    message = f"{name} is not installed; {fix}"
    if os.environ.get("R1_NO_SKIPS") == "1":
        pytest.fail(message)
    pytest.skip(message)


def need_program(name: str) -> str:
    """The path of a program from the system's packages."""
    return shutil.which(name) or not_installed(name)


@dataclass(frozen=True)
class Ran:
    """A finished run: its home directory and the summary it wrote."""

    home: Path
    summary: dict[str, Any]


@pytest.fixture(scope="session")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """One smoke run of the whole recipe for all tests and test processes; tests that harm its store work on a copy.

    Its environment has secrets in it, so that ``tests/security`` can look for them in what it left behind.
    """
    mine = tmp_path_factory.getbasetemp()
    home = (mine.parent if "PYTEST_XDIST_WORKER" in os.environ else mine) / "smoke"
    with FileLock(f"{home}.lock"):
        summary = home / "summary.json"
        if not summary.exists():
            home.mkdir(exist_ok=True)
            run_recipe(home, "smoke", extra=SECRETS)
    return Ran(home, json.loads(summary.read_text()))
