"""R1-Zero with a sampler that works ahead, as a person starts it."""

import json
import shutil
from pathlib import Path

import pytest

from r1flow.components.store.rollouts import lake
from tests.conftest import Ran
from tests.runs import run_recipe, stages

pytestmark = pytest.mark.long


def artifact(home: Path, summary: dict[str, object]) -> Path:
    """Where the files of R1-Zero's artifact lie."""
    ref = stages(summary)["r1_zero"]["ref"]
    [history] = (home / "store" / "artifacts" / "rl" / ref["fingerprint"][:16]).rglob("history.jsonl")
    return history.parent


def test_the_lake_and_the_history_tell_how_stale_the_rollouts_were(smoke: Ran, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(smoke.home, home)
    summary = run_recipe(home, "smoke", "r1_zero.staleness=1", only=["r1_zero"])
    assert {name for name, stage in stages(summary).items() if not stage["reused"]} >= {"r1_zero", "evaluate/r1_zero"}
    files = artifact(home, summary)
    behind = {
        row["step"]: row["step"] - 1 - row["policy_version"] for row in lake.read(files / "lake", ["policy_version"])
    }
    assert behind == {1: 0, 2: 1, 3: 1, 4: 1}
    history = [json.loads(line) for line in (files / "history.jsonl").read_text().splitlines()]
    assert [row["staleness"] for row in history[1:]] == [0, 1, 1, 1]
    synchronous = artifact(smoke.home, smoke.summary)
    first = [json.loads((f / "history.jsonl").read_text().splitlines()[1]) for f in (files, synchronous)]
    assert first[0]["reward"] == pytest.approx(first[1]["reward"], abs=0)  # both sampled by the start model
    assert "staleness" not in first[1]
