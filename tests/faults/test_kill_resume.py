"""kill -9 of the whole process group during GRPO, at three steps, then the same command: the same weights, bit for bit."""

import hashlib
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from r1flow.components.core.spool import read_spool
from r1flow.components.tracking.client import find_run
from tests.processes import descendants, survivors
from tests.runs import ROOT, ZERO, command, environment, options, run_recipe

SETTINGS = ["r1_zero.steps=12", "r1_zero.checkpoint_every=3", "r1_zero.min_pass_rate=0.0"]
KILL_AFTER = [4, 8, 11]
PPO = ["r1_zero.algorithm=ppo", "r1_zero.kl_weight=0.01", "r1_zero.mini_batches=2"]


@pytest.mark.parametrize("algorithm", [[], pytest.param(PPO, marks=pytest.mark.slow)], ids=["grpo", "ppo"])
def test_a_run_killed_at_three_steps_ends_with_the_weights_of_an_uninterrupted_one(
    tmp_path: Path, algorithm: list[str]
) -> None:
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    run_recipe(straight, ZERO, *SETTINGS, *algorithm)
    for step in KILL_AFTER:
        _kill_after(killed, step, algorithm)
    summary = run_recipe(killed, ZERO, *SETTINGS, *algorithm)
    assert _weights(killed) == _weights(straight)
    assert _content(killed) == _content(straight)
    zero = next(stage for stage in summary["stages"] if stage["name"] == "r1_zero")
    assert not zero["reused"]
    assert _logged_steps(killed, summary["run"]) == list(range(1, 13))


def _kill_after(home: Path, step: int, algorithm: list[str]) -> None:
    """Start the run in a group of its own, wait until the spool holds ``step``, kill the group; nothing may survive."""
    process = subprocess.Popen(
        command("run", ZERO, *options([*SETTINGS, *algorithm])),
        env=environment(home),
        cwd=ROOT,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 180
    while not any(row.step >= step for path in home.glob("work/rl-*/metrics.jsonl") for row in read_spool(path)):
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline, f"step {step} was not reached"
        time.sleep(0.02)
    family = descendants(process.pid)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=30)
    assert survivors(family, 5) == []


def _weights(home: Path) -> dict[str, str]:
    """sha256 of every weight file, by the artifact it stands in."""
    found = (home / "store" / "artifacts").rglob("*.safetensors")
    return {p.relative_to(home).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in found}


def _content(home: Path) -> dict[str, list[dict[str, object]]]:
    """Files of every artifact but the report, which shows times."""
    manifests = {p.parent.name: json.loads(p.read_text()) for p in (home / "store/artifacts").glob("*/*/MANIFEST.json")}
    return {name: m["files"] for name, m in manifests.items() if m["kind"] != "report"}


def _logged_steps(home: Path, parent: str) -> list[int]:
    from mlflow.tracking import MlflowClient

    client = MlflowClient(f"sqlite:///{home / 'mlflow.db'}")
    run_id = find_run(client, f"{parent}/r1_zero")
    return [metric.step for metric in client.get_metric_history(run_id, "reward")]
