"""What is taught can be looked at: loss masks of a finished run, the ledger of its lakes, and RL by difficulty."""

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.conftest import Ran
from tests.runs import r1, run_recipe, stages

pytestmark = pytest.mark.long


def masks(smoke: Ran, *arguments: str) -> list[str]:
    done = r1(smoke.home, "show", "masks", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_masks_show_completions_with_their_end_as_trained_on_and_prompts_as_read(smoke: Ran) -> None:
    lines = masks(smoke, "smoke", "-n", "5")
    assert re.match(r"selection/\w+  template tiny, end token <eos>", lines[0])
    read = [line for line in lines if line.startswith("  read ")]
    train = [line for line in lines if line.startswith("  train")]
    assert len(read) == len(train) == 5
    assert all(line.endswith("\u00b7=") for line in read)
    assert all("<think>" in line and line.endswith("\u00b7<eos>") for line in train)


def test_masks_of_a_trained_model_are_those_of_its_teaching_set(smoke: Ran) -> None:
    made = stages(smoke.summary)
    address = {
        name: f"{made[name]['ref']['kind']}/{made[name]['ref']['fingerprint'][:12]}" for name in ("dev1", "general")
    }
    assert masks(smoke, address["dev1"])[2:] == masks(smoke, address["dev1"], "--model", address["dev1"])[2:]
    assert any("<think>" in line for line in masks(smoke, address["general"], "--model", address["dev1"], "-n", "1"))


def test_what_teaches_nothing_is_refused_with_what_does(smoke: Ran) -> None:
    made = stages(smoke.summary)
    for arguments, message in (
        (("masks", made["r1_zero"]["ref"]["fingerprint"][:12]), "name a selection, sft, dataset"),
        (("masks", made["general"]["ref"]["fingerprint"][:12]), "name one with --model"),
        (("masks", "tiny"), "`r1 run tiny` makes one"),
        (("masks",), "show takes one artifact, or `masks`"),
    ):
        done = r1(smoke.home, "show", *arguments)
        assert done.returncode == 2
        assert message in done.stderr


def test_the_ledger_counts_every_lake_once_and_is_then_reused(smoke: Ran, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(smoke.home, home)
    done = r1(home, "ledger")
    assert done.returncode == 0, done.stderr
    assert re.match(r"ok ledger +[\d.]+ s ", done.stdout)
    [manifest] = [json.loads(path.read_text()) for path in home.glob("store/artifacts/ledger/*/MANIFEST.json")]
    asked = sum(8 * 8 * steps for steps in (4, 2, 2, 2))
    assert (manifest["metrics"]["lakes"], manifest["metrics"]["samples"]) == (4, asked)
    done = r1(home, "ledger", "-n", "2")
    assert done.returncode == 0, done.stderr
    assert re.match(r"ok ledger +reused ", done.stdout)
    assert [title for title in ("hardest of those solved", "never solved", "label looks wrong") if title in done.stdout]
    # The ledger chooses the problems of another run's RL, whose fingerprint it is part of.
    address = f"ledger/{manifest['fingerprint'][:12]}"
    settings = [
        "r1_zero.min_pass_rate=0.0", f"r1_zero.difficulty.rates={address}", "r1_zero.difficulty.policy=dev2",
        "r1_zero.difficulty.keep=[0.1, 0.9]", "r1_zero.difficulty.order=easy_to_hard",
    ]  # fmt: skip
    zero = stages(run_recipe(home, "smoke", *settings, only=["r1_zero"]))["r1_zero"]
    trained = json.loads(
        next(home.glob(f"store/artifacts/rl/{zero['ref']['fingerprint'][:16]}/MANIFEST.json")).read_text()
    )
    assert trained["inputs"]["difficulty.rates"]["fingerprint"] == manifest["fingerprint"]


def test_the_start_model_rates_the_problems_before_rl(tmp_path: Path) -> None:
    settings = [
        "problems.sources.sum.size=64", "r1_zero.steps=2", "r1_zero.min_pass_rate=0.0",
        "r1_zero.difficulty.samples=4", "r1_zero.difficulty.keep=[0.1, 0.9]",
    ]  # fmt: skip
    summary = run_recipe(tmp_path, "smoke", *settings, only=["r1_zero"])
    found = stages(summary)
    rated = found["r1_zero/rate"]["metrics"]
    assert rated["problems"] <= 64
    [bill] = [line for line in summary["cost"]["stages"] if line["stage"] == "r1_zero/rate"]
    assert bill["tokens_out"] == rated["generated"] > 4 * rated["problems"]
    assert 0 < rated["pass_at_1"] < rated["pass_at_4"] < 1
    history = next(tmp_path.glob("store/artifacts/rl/*/data/*/history.jsonl")).read_text().splitlines()
    chosen = {k: v for k, v in json.loads(history[0]).items() if k.startswith("difficulty/")}
    assert sum(chosen.values()) == rated["problems"]
    assert 0 < chosen["difficulty/kept"] < rated["problems"]
