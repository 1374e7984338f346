"""A recipe with a real model as a person runs it: plan, sample, SFT, evaluation, RL, and a kill in the middle of that."""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.runs import kill_in_rl, options, r1, run_recipe, stages

pytestmark = [pytest.mark.real, pytest.mark.timeout(3600)]
RECIPE = str(Path(__file__).parent / "real.toml")
SUMS = [(21, 34), (42, 17), (13, 25), (36, 48), (54, 23), (19, 62), (37, 45), (28, 31)]
LONG = 1700
"""Seconds that a run may take where others compute too."""


@dataclass(frozen=True)
class Files:
    """Sums as problems, as a suite and with worked answers, on this machine."""

    directory: Path

    def overrides(self, source: Path) -> list[str]:
        named = {"problems.sources.sums": "problems", "suites.sums.source": "suite", "traces.sources.worked": "traces"}
        files = [f"{setting}.uri={self.directory / name}.jsonl" for setting, name in named.items()]
        return [f"base.source={source}", *files]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    directory = tmp_path_factory.mktemp("sums")
    for name, sums in (("problems", SUMS[:2]), ("suite", SUMS[2:4]), ("traces", SUMS[4:])):
        rows = [{"prompt": f"What is {a} + {b}?", "answer": str(a + b), "completion": _worked(a, b)} for a, b in sums]
        (directory / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return Files(directory)


def _worked(a: int, b: int) -> str:
    tens, ones = a // 10 * 10 + b // 10 * 10, a % 10 + b % 10
    return f"<think>The tens make {tens}, the ones {ones}.</think><answer>{a + b}</answer>"


def test_the_plan_counts_the_model_in_the_file(tmp_path: Path, files: Files, gguf: Path) -> None:
    done = r1(tmp_path, "plan", RECIPE, *options(files.overrides(gguf)))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "134,515,008" in done.stdout
    assert "8,192" in done.stdout
    assert "ot planned" not in done.stdout


def test_a_sample_answers_in_words(tmp_path: Path, taken) -> None:
    asked = "What is the capital of France? Answer in one sentence."
    arguments = ("--temperature", "0.01", "--max-tokens", "24", "-n", "1")
    done = r1(tmp_path, "sample", str(taken.model), asked, *arguments, timeout=LONG)
    assert done.returncode == 0, done.stderr
    assert "Paris" in done.stdout.partition(asked)[2]


def test_a_run_killed_in_rl_ends_with_the_bytes_of_an_uninterrupted_one(tmp_path: Path, files: Files, taken) -> None:
    killed, straight = tmp_path / "killed", tmp_path / "straight"
    overrides = files.overrides(taken.model)
    kill_in_rl(killed, 1, RECIPE, *overrides, timeout=LONG)
    made = [path for path in ("model", "sft", "dataset", "suites") if (killed / "store/artifacts" / path).exists()]
    for kind in made:  # what was made before RL is the same by name and content: nothing of it is computed twice
        source, copy = (home / "store" / "artifacts" / kind for home in (killed, straight))
        shutil.copytree(source, copy, copy_function=os.link)
    again = stages(run_recipe(killed, RECIPE, *overrides, timeout=LONG))
    anew = stages(run_recipe(straight, RECIPE, *overrides, only=["trained"], timeout=LONG))
    assert made == ["model", "sft", "dataset", "suites"]
    assert [found["taught"]["reused"] for found in (again, anew)] == [True, True]
    assert [found["trained"]["reused"] for found in (again, anew)] == [False, False]
    assert _files(killed) == _files(straight)
    assert again["evaluate/taught"]["metrics"]["sums/format"] is not None
    assert 0 < again["taught"]["metrics"]["loss"] < 4


def _files(home: Path) -> list[dict[str, object]]:
    """Names, sizes and digests of what the RL stage has made."""
    (manifest,) = (home / "store" / "artifacts" / "rl").glob("*/MANIFEST.json")
    found: list[dict[str, object]] = json.loads(manifest.read_text())["files"]
    assert any(str(file["path"]).endswith("model.safetensors") for file in found)
    return found
