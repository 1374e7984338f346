"""The closing words of a run: metrics with their intervals."""

import io

from rich.console import Console

from r1flow.cli.table import closing_table
from r1flow.components.recipe.presets import load_recipe
from r1flow.components.recipe.settings import Settings

METRICS = {"sums/pass_at_1": 0.9744, "sums/pass_at_1_low": 0.9612, "sums/pass_at_1_high": 0.9832, "sums/length": 26.5}


def test_pass_at_1_has_half_of_its_interval_beside_it():
    model = {"name": "r1", "title": "R1", "metrics": {}, "reused": True, "ref": None}
    stage = {"name": "evaluate/r1", "metrics": METRICS | {"strings/pass_at_1": 0.5}, "reused": False, "ref": None}
    champion = {"model": "r1-tiny", "promoted": True, "version": 3, "reasons": ["format 1.000"]}
    held = champion | {"model": "r1-small", "promoted": False, "version": None}
    summary = {"run": "run-1", "stages": [model, stage], "seconds": 1.0, "champions": [champion, held]}
    printed = io.StringIO()
    closing_table(Console(file=printed, width=200), load_recipe("tiny", {}), summary, Settings())
    lines = printed.getvalue().splitlines()
    row = next(line for line in lines if line.strip().startswith("R1 "))
    assert row.split()[1:] == ["0.974", "±0.011", "26.5", "0.500"]
    assert not any("95 %" in line for line in lines)
    assert "r1-tiny version 3 is champion: format 1.000" in lines
    assert any(line.startswith("r1-small was not promoted") for line in lines)
