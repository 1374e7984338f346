"""One smoke run of the whole recipe for all tests of this folder; tests that harm its store work on a copy."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.runs import run_recipe


@dataclass(frozen=True)
class Ran:
    home: Path
    summary: dict[str, Any]


@pytest.fixture(scope="session")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    home = tmp_path_factory.mktemp("smoke")
    return Ran(home, run_recipe(home, "smoke"))
