"""torch and transformers suffice for RL: a bare GPU image runs the step's benchmark and the tests of the GPU."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs import ROOT
from tests.fakes.bare import bare_environment


def run(directory: Path, *arguments: str, more: tuple[str, ...] = ()) -> str:
    done = subprocess.run(
        [sys.executable, "-S", *arguments],
        cwd=ROOT,
        env=bare_environment(directory, *more),
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("name", ["pydantic", "pyarrow", "fsspec", "rich", "math_verify", "py3langid", "mlflow", "trl"])
def test_a_bare_environment_has_nothing_else(tmp_path: Path, name: str) -> None:
    code = f"import importlib.util; print(importlib.util.find_spec({name!r}))"
    assert run(tmp_path, "-c", code) == "None\n"


def test_a_step_runs_with_torch_and_transformers_alone(tmp_path: Path) -> None:
    sizes = ("--prompts", "2", "--samples", "3", "--prompt", "5", "--completion", "8", "--steps", "1")
    printed = run(tmp_path, "benchmarks/gpu/grpo_step.py", "--shape", "tiny", "--device", "cpu", *sizes)
    assert "r1flow: " in printed
    for phase in ("sample", "score", "update", "sync"):
        assert f"\n  {phase} " in printed
    assert "trl: not installed" in printed


def test_the_tests_of_the_gpu_are_collected_with_pytest_besides(tmp_path: Path) -> None:
    printed = run(
        tmp_path,
        *("-m", "pytest", "-c", "tests/gpu/pytest.ini", "-p", "no:cacheprovider", "--collect-only", "-q", "tests/gpu"),
        more=("pytest",),
    )
    assert "test_a_stopped_run_goes_on" in printed
