"""Half of what a run costs stops it after a step; with a higher budget it ends with the bytes of one that was never stopped."""

from pathlib import Path

import pytest

from tests.faults.test_kill_resume import _content, _weights
from tests.runs import ZERO, options, r1, run_recipe

SETTINGS = ["r1_zero.steps=60", "r1_zero.checkpoint_every=25", "r1_zero.min_pass_rate=0.0"]


@pytest.mark.slow
def test_half_the_budget_stops_a_run_and_the_whole_of_it_goes_on(tmp_path: Path) -> None:
    straight, stopped = tmp_path / "straight", tmp_path / "stopped"
    straight_run = run_recipe(straight, ZERO, *SETTINGS)
    hours = straight_run["cost"]["together"]["device_seconds"] / 3600
    done = r1(stopped, "run", ZERO, *options([*SETTINGS, f"run.budget.device_hours={hours / 2}"]))
    assert done.returncode == 3, done.stdout[-2000:] + done.stderr[-2000:]
    assert "raise the budget, and the same command goes on" in done.stderr
    # Every try pays for its own start, and a busy machine's seconds differ from run to run.
    went_on = run_recipe(stopped, ZERO, *SETTINGS, f"run.budget.device_hours={10 * hours}")
    assert not next(stage for stage in went_on["stages"] if stage["name"] == "evaluate/r1_zero")["reused"]
    assert _weights(stopped) == _weights(straight)
    assert _content(stopped) == _content(straight)
