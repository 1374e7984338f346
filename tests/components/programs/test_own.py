"""A kind of one's own as a program: its class reads the settings back, and finds its inputs by their roles."""

import importlib
import sys

import pytest

from r1flow.components.programs.own import main
from tests.fakes.own_kind import SOURCE


@pytest.fixture
def module(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own_kind_of_a_program.py").write_text(SOURCE)
    sys.modules.pop("own_kind_of_a_program", None)
    importlib.invalidate_caches()
    return "own_kind_of_a_program"


def test_its_method_runs_with_its_settings_and_inputs(tmp_path, module):
    config = {"kind": {"name": f"{module}:Trim", "sha256": "0" * 64}, "data": "data", "judge": None, "words": 9}
    spec = {
        "stage": "short",
        "seed": 0,
        "config": config | {"source": "theirs", "micro_tokens": 3},
        "inputs": {"data": str(tmp_path / "traces")},
        "out": str(tmp_path / "out"),
        "work": str(tmp_path),
        "store": "x",
        "checkpoints": "y",
    }
    assert main(spec) == {"words": 9.0}
    assert (tmp_path / "out" / "seen.txt").read_text() == "9 theirs traces"
