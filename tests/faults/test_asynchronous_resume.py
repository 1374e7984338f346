"""kill -9 of a trainer whose sampler works ahead: the sampler goes too, and the continued run ends with the same bytes."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from r1flow.components.core.models import BUILTIN
from r1flow.components.core.spool import read_spool
from r1flow.components.data.files import dump_rows
from r1flow.components.data.sources import tiny_rows
from r1flow.components.store.rollouts import lake
from tests.processes import descendants, survivors
from tests.runs import ROOT, environment

pytestmark = pytest.mark.slow

STEPS, EVERY = 9, 2
PROGRAM = "import json, sys; from r1flow.components.programs.rl import main; main(json.load(open(sys.argv[1])))"
WAIT_S = 300.0


def make_spec(home: Path, staleness: int) -> Path:
    """The input of the program as a supervisor writes it, with the tiny world's base and sums."""
    shutil.copytree(BUILTIN["tiny-base"], home / "model" / "model")
    (home / "data").mkdir()
    (home / "work").mkdir()
    dump_rows(tiny_rows("sum", 60, 0, ()), home / "data" / "train.jsonl")
    rl = {
        "model": "model",
        "data": "data",
        "steps": STEPS,
        "prompts_per_step": 6,
        "samples_per_prompt": 8,
        "learning_rate": 1e-3,
        "max_tokens": 40,
    }
    rl |= {"mixture": {"sum": 1.0}, "min_pass_rate": 0.0, "checkpoint_every": EVERY, "staleness": staleness}
    spec = {
        "stage": "r1_zero",
        "seed": 0,
        "config": rl,
        "prompt": {"template": "tiny", "format": "think"},
        "language": {"target": "0123456789", "other": "abcdefghij"},
        "run": {"device": "cpu", "sampler": "transformers"},
        "inputs": {"model": str(home / "model"), "data": str(home / "data")},
        "out": str(home / "work" / "out"),
        "work": str(home / "work"),
        "store": (home / "store").as_uri(),
        "checkpoints": "checkpoints/rl/test",
    }
    (home / "spec.json").write_text(json.dumps(spec))
    return home / "spec.json"


def start(spec: Path) -> subprocess.Popen[bytes]:
    with (spec.parent / "log.txt").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(spec)],
            env=environment(spec.parent),
            cwd=ROOT,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def finish(spec: Path) -> None:
    process = start(spec)
    assert process.wait(WAIT_S) == 0, (spec.parent / "log.txt").read_text()[-3000:]


def kill_after(spec: Path, step: int) -> None:
    """Start the program and kill it, alone, when ``step`` is recorded; its sampler must follow."""
    process = start(spec)
    end = time.monotonic() + WAIT_S
    while not any(row.step >= step for row in read_spool(spec.parent / "work" / "metrics.jsonl")):
        assert process.poll() is None, (spec.parent / "log.txt").read_text()[-3000:]
        assert time.monotonic() < end, f"step {step} was not reached"
        time.sleep(0.02)
    family = descendants(process.pid)
    assert family, "the sampler has a process of its own"
    os.kill(process.pid, signal.SIGKILL)
    process.wait(30)
    assert survivors(family, 10) == []


def content(home: Path) -> dict[str, bytes]:
    out = home / "work" / "out"
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}


@pytest.mark.parametrize("staleness", [1, 2])
def test_a_run_killed_twice_ends_with_the_bytes_of_an_uninterrupted_one(tmp_path: Path, staleness: int) -> None:
    homes = tmp_path / "straight", tmp_path / "killed"
    straight, killed = (make_spec(home, staleness) for home in homes)
    finish(straight)
    kill_after(killed, 3)
    kill_after(killed, 6)
    finish(killed)
    assert content(homes[1]) == content(homes[0])
    behind = {
        row["step"]: row["step"] - 1 - row["policy_version"]
        for row in lake.read(homes[1] / "work" / "out" / "lake", ["policy_version"])
    }
    assert behind == {step: min(staleness, step - 1) for step in range(1, STEPS + 1)}
    assert [row.step for row in read_spool(homes[1] / "work" / "metrics.jsonl")] == list(range(STEPS + 1))
