"""kill -9 of the whole process group during GRPO, at three steps, then the same command: the same weights, bit for bit."""

import hashlib
import json
from pathlib import Path

import pytest

from r1flow.components.tracking.client import find_run
from tests.runs import ZERO, kill_in_rl, run_recipe

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
        kill_in_rl(killed, step, ZERO, *SETTINGS, *algorithm)
    summary = run_recipe(killed, ZERO, *SETTINGS, *algorithm)
    assert _weights(killed) == _weights(straight)
    assert _content(killed) == _content(straight)
    zero = next(stage for stage in summary["stages"] if stage["name"] == "r1_zero")
    assert not zero["reused"]
    assert _logged_steps(killed, summary["run"]) == list(range(1, 13))


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
