"""torch and transformers suffice for RL: a bare GPU image runs the step's benchmark and the tests of the GPU."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from tests.docs import ROOT
from tests.fakes.bare import bare_environment


def run(
    directory: Path, *arguments: str, more: tuple[str, ...] = (), variables: Mapping[str, str] = MappingProxyType({})
) -> str:
    done = subprocess.run(
        [sys.executable, "-S", *arguments],
        cwd=ROOT,
        env=bare_environment(directory, *more) | dict(variables),
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


def test_the_tests_of_the_gpu_run_with_pytest_besides(tmp_path: Path) -> None:
    """Two quick ones, on the CPU: collected alone, they had gone out of date unseen."""
    quick = ("-k", "(log_probabilities or gradient_included) and float32")
    printed = run(
        tmp_path,
        *("-m", "pytest", "-c", "tests/gpu/pytest.ini", "-p", "no:cacheprovider", "-q", "tests/gpu", *quick),
        more=("pytest",),
        variables={"R1_GPU_TESTS_ON": "cpu"},
    )
    assert "3 passed" in printed
