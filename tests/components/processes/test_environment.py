"""A program gets what it needs to compute; passwords of other people's servers stay with the flow."""

import os
import subprocess
import sys

from r1flow.components.processes.environment import allowed, python_environment
from tests.runs import ROOT

NEEDED = {
    "PATH": "/bin",
    "https_proxy": "http://proxy",
    "OMP_NUM_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "0",
    "HF_TOKEN": "for private models",
    "AWS_SECRET_ACCESS_KEY": "for the store",
    "R1_SANDBOX": "rlimits",
}
KEPT_BACK = {
    "MLFLOW_TRACKING_PASSWORD": "x",
    "PREFECT_API_AUTH_STRING": "x",
    "R1_MLFLOW_URI": "http://me:x@host",
    "OPENAI_API_KEY": "x",
    "PGPASSWORD": "x",
}


def test_what_computing_needs_is_passed_on_and_nothing_else():
    assert allowed({**NEEDED, **KEPT_BACK}) == NEEDED


def test_a_person_may_name_more():
    more = {"R1_CHILD_ENV": "OPENAI_*, PGPASSWORD"}
    assert set(allowed({**KEPT_BACK, **more})) == {"R1_CHILD_ENV", "OPENAI_API_KEY", "PGPASSWORD"}


def test_the_components_are_found_first(monkeypatch):
    root = str(ROOT)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["/elsewhere", root, ""]))
    assert python_environment()["PYTHONPATH"] == os.pathsep.join([root, "/elsewhere"])


def test_an_interpreter_starts_in_it(tmp_path):
    program = [sys.executable, "-P", "-c", "import r1flow.components.core.errors"]
    assert subprocess.run(program, env=python_environment(), cwd=tmp_path, timeout=60).returncode == 0


class Emptied(dict[str, str]):
    """An environment from which another thread takes a variable, just after its name has been seen."""

    def __iter__(self):
        for name in list(super().__iter__()):
            if name == "HF_TOKEN":
                self.pop(name, None)
            yield name


def test_a_variable_that_another_thread_takes_out_meanwhile_is_left_out():
    assert allowed(Emptied(NEEDED)) == {name: value for name, value in NEEDED.items() if name != "HF_TOKEN"}
