"""The closing words of a run: figures with their intervals."""

import io

from rich.console import Console

from r1flow.cli.table import closing_table
from r1flow.components.recipe.presets import load_recipe
from r1flow.components.recipe.settings import Settings

METRICS = {"sums/pass_at_1": 0.9744, "sums/pass_at_1_low": 0.9612, "sums/pass_at_1_high": 0.9832, "sums/length": 26.5}


def test_pass_at_1_has_half_of_its_interval_beside_it():
    stage = {"name": "evaluate/r1", "metrics": METRICS | {"strings/pass_at_1": 0.5}, "reused": False, "ref": None}
    summary = {"run": "run-1", "stages": [stage], "seconds": 1.0, "champion": None}
    printed = io.StringIO()
    closing_table(Console(file=printed, width=200), load_recipe("tiny", {}), summary, Settings())
    lines = printed.getvalue().splitlines()
    row = next(line for line in lines if line.strip().startswith("R1 "))
    assert row.split()[1:] == ["0.974", "±0.011", "26.5", "0.500"]
    assert not any("95 %" in line for line in lines)
