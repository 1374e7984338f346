"""What is taught can be looked at: loss masks of a finished run."""

import re

from tests.conftest import Ran
from tests.runs import r1, stages


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
        name: f"{made[name]['ref']['kind']}/{made[name]['ref']['fingerprint'][:12]}" for name in ("dev1", "curate")
    }
    assert masks(smoke, address["dev1"])[2:] == masks(smoke, address["dev1"], "--model", address["dev1"])[2:]
    assert any("<think>" in line for line in masks(smoke, address["curate"], "--model", address["dev1"], "-n", "1"))


def test_what_teaches_nothing_is_refused_with_what_does(smoke: Ran) -> None:
    made = stages(smoke.summary)
    for arguments, message in (
        (("masks", made["r1_zero"]["ref"]["fingerprint"][:12]), "name a selection, sft, dataset"),
        (("masks", made["curate"]["ref"]["fingerprint"][:12]), "name one with --model"),
        (("masks", "tiny"), "`r1 run tiny` makes one"),
        (("masks",), "show takes one artifact, or `masks`"),
    ):
        done = r1(smoke.home, "show", *arguments)
        assert done.returncode == 2
        assert message in done.stderr
