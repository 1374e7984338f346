"""The recipes of ``examples/``: each runs, at smoke size, and says what it promises."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from r1flow.components.recipe.presets import load_recipe
from tests.runs import ROOT, environment, stages

NAMES = sorted(path.stem for path in (ROOT / "examples").glob("*.toml"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    home = tmp_path_factory.mktemp("examples")
    command = [sys.executable, "-m", "tests.examples.made", str(home)]
    done = subprocess.run(
        command, env=environment(home), cwd=ROOT, capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads((home / "made.json").read_text())
    return {**found, "home": str(home)}


def of(made: dict[str, Any], name: str) -> dict[str, dict[str, Any]]:
    assert "error" not in made[name], made[name]["error"]
    return stages(made[name])


@pytest.mark.parametrize("name", NAMES)
def test_it_can_be_read(name: str) -> None:
    assert load_recipe(f"examples/{name}.toml").name == name


@pytest.mark.parametrize("name", NAMES)
def test_it_runs(made: dict[str, Any], name: str) -> None:
    assert "report" in of(made, name)


def test_sft_alone_on_conversations(made: dict[str, Any]) -> None:
    found = of(made, "sft-chat")
    assert found["conversations"]["metrics"]["kept"] == found["tuned"]["metrics"]["examples"] == 40
    assert set(found) == {"conversations", "base", "tuned", "report"}


def test_rl_alone_asks_by_the_models_own_chat_template(made: dict[str, Any]) -> None:
    found = of(made, "rl-instruct")
    manifest = _manifest(made, found["reasoner"])
    assert manifest["config"]["prompt"] == {"template": "tokenizer", "format": "think"}
    assert made["rl-instruct"]["champions"][0]["model"] == "reasoner"


def test_traces_are_verified_before_anybody_learns_from_them(made: dict[str, Any]) -> None:
    found = of(made, "distill-traces")
    counts = found["verified"]["metrics"]
    assert (counts["seen"], counts["not_correct"], counts["selected"]) == (40, 2, 38)
    assert found["distilled"]["metrics"]["examples"] == 38


def test_own_traces_are_mixed_with_selected_ones(made: dict[str, Any]) -> None:
    found = of(made, "cold-start")
    assert found["readable"]["metrics"]["selected"] >= 8
    assert found["started"]["metrics"]["examples"] == 16


def test_a_model_directory_is_measured_without_training_data(made: dict[str, Any]) -> None:
    found = of(made, "evaluate")
    assert set(found) == {"suites", "mine", "evaluate/mine", "report"}
    assert found["evaluate/mine"]["metrics"]["gsm8k/problems"] == 8


def test_two_rl_stages_have_rewards_of_their_own(made: dict[str, Any]) -> None:
    found = of(made, "two-rewards")
    first, second = (_manifest(made, found[name])["config"]["config"] for name in ("right", "readable"))
    assert "group_length" not in first["rewards"]
    assert second["rewards"]["group_length"] == 0.2


def test_a_student_is_promoted_beside_its_teacher(made: dict[str, Any]) -> None:
    champions = made["teacher-and-student"]["champions"]
    assert [(c["model"], c["promoted"]) for c in champions] == [("teacher", True), ("student", True)]


def _manifest(made: dict[str, Any], stage: dict[str, Any]) -> dict[str, Any]:
    ref = stage["ref"]
    path = Path(made["home"]) / "store" / "artifacts" / ref["kind"] / ref["fingerprint"][:16] / "MANIFEST.json"
    sealed: dict[str, Any] = json.loads(path.read_text())
    return sealed.get("manifest", sealed)
