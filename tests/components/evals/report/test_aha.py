"""The section about reflection: means by step and difficulty, first occurrences, links to what is on the page."""

import re
from pathlib import Path

import pytest

from r1flow.components.evals.aha_counts import Tracked
from r1flow.components.evals.report.aha import BINS, aha, by_bin, by_step, firsts, track_lakes, wanted
from r1flow.components.evals.report.names import Names
from r1flow.components.rewards.markers import Finder
from r1flow.components.store.rollouts import lake
from tests.components.evals.test_aha_counts import group, write

NAMES = Names({"r1_zero": "R1-Zero"})


@pytest.fixture
def tracked(tmp_path: Path) -> dict[str, Tracked]:
    write(tmp_path / "lake")
    return track_lakes({"r1_zero": tmp_path, "evaluate/base": tmp_path / "none"}, Finder(), NAMES)


def test_only_stages_with_a_lake_are_tracked(tracked: dict[str, Tracked]) -> None:
    assert list(tracked) == ["r1_zero"]
    assert aha({}, (), NAMES) is None


def test_means_are_per_completion(tracked: dict[str, Tracked]) -> None:
    assert by_step(tracked["r1_zero"], "backtracking_completions") == [(1.0, 0.5), (2.0, 0.0), (3.0, 0.25)]
    assert by_bin(tracked["r1_zero"], "0", "tokens") == [(2.0, 1.0), (3.0, (33 + 5) / 2)]


def test_a_long_training_is_drawn_in_a_few_stretches(tmp_path: Path) -> None:
    steps = [(step, [group("p", ("1", True), ("", False))]) for step in range(1, 101)]
    lake.write_shard(tmp_path / "lake" / lake.shard_name(1, 100), steps)
    points = by_bin(track_lakes({"r1": tmp_path}, Finder(), NAMES)["r1"], "0.2 to 0.8", "tokens")
    assert len(points) <= BINS
    assert {value for _, value in points} == {0.5}


def test_a_marker_stands_once_with_its_kinds_and_is_linked_where_it_is_shown(tracked: dict[str, Tracked]) -> None:
    assert wanted(tracked) == {"r1_zero": {(1, "easy"), (3, "hard")}}
    wait, verify = firsts(tracked, {("r1_zero", 1, "easy")}, NAMES)
    assert (wait.marker, wait.kind, wait.occurrences, wait.step) == ("wait", "backtracking, reflection", "3", 1)
    assert (wait.link, verify.link) == ("#rollout/r1_zero/1/easy/1", "")


def test_the_section_says_what_its_drawings_show(tracked: dict[str, Tracked]) -> None:
    section = aha(tracked, (), NAMES)
    assert section is not None
    drawings = [panel.svg for figure in section["figures"] for panel in figure.panels]
    labels = [re.search(r'aria-label="([^"]+)"', drawing)[1] for drawing in drawings]  # type: ignore[index]
    assert labels[1] == "Backtracking over the steps of R1-Zero: from 0.500 to 0.250, share of completions"
    assert "0.8 to 1: 3.5 to 3.5" in labels[3]
    assert [row[:2] for row in section["bands"]] == [
        ["R1-Zero", "0"],
        ["R1-Zero", "0.2 to 0.8"],
        ["R1-Zero", "0.8 to 1"],
    ]
