"""SIGKILL at named points of the stages, then the same command: the same bytes, no survivor, little computed twice."""

import os
import shutil
from pathlib import Path

import pytest
from rich.console import Console

from tests.conftest import Ran
from tests.faults import matrix
from tests.faults.killer import POINTS
from tests.runs import ZERO

FEW = ["mid_checkpoint", "after_manifest"]
"""One in the program, one in the flow; `make test-faults` goes through all."""


def test_r1_zero_killed_at_two_points_ends_with_the_bytes_of_an_uninterrupted_run(smoke: Ran, tmp_path: Path) -> None:
    """Fingerprints do not know the recipe: what the shared run of the whole recipe has published is reused, but for r1_zero."""
    (zero,) = (key for key, name in matrix.named(smoke.summary).items() if name == "r1_zero")
    shutil.copytree(smoke.home / "store" / "artifacts", tmp_path / "home" / "store" / "artifacts")
    shutil.rmtree(tmp_path / "home" / "store" / "artifacts" / zero.replace("-", "/"))
    chain = matrix.play(tmp_path / "home", FEW, only=[zero], recipe=ZERO)
    assert chain.kills == [(zero, "mid_checkpoint"), (zero, "after_manifest")]
    matrix.check(chain, smoke.home, matrix.intervals(smoke.home))


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_every_stage_killed_at_every_point_ends_with_the_same_bytes(
    smoke: Ran, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = matrix.whole(tmp_path, smoke.home, smoke.summary, workers=min(2, os.cpu_count() or 1), points=list(POINTS))
    with capsys.disabled():
        matrix.show(table, Console(width=200))
