"""Which tests `make quick` takes: those of the rooms that have changed."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from infra.quick import ELSEWHERE, OTHERS, changed, folder_of, folders_for
from tests.docs import page
from tests.runs import ROOT


def git(place: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.org", "-c", "init.defaultBranch=main")
    subprocess.run(["git", *identity, *arguments], cwd=place, check=True, capture_output=True, timeout=60)


def commit(place: Path, *names: str) -> None:
    for name in names:
        (place / name).write_text(name)
    git(place, "add", ".")
    git(place, "commit", "--message", " ".join(names))


def test_changed_is_what_the_branch_has_committed_edited_and_added(tmp_path: Path) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    there.mkdir()
    git(there, "init")
    commit(there, "old", "kept")
    git(tmp_path, "clone", "there", "here")
    commit(here, "first")
    commit(here, "second")
    commit(there, "theirs")
    git(here, "fetch")
    (here / "kept").write_text("edited")
    (here / "new").write_text("")
    (here / "old").unlink()
    assert changed(here) == ["first", "kept", "new", "old", "second"]


def test_without_a_remote_the_last_commit_counts_and_a_first_commit_has_none_before_it(tmp_path: Path) -> None:
    git(tmp_path, "init")
    commit(tmp_path, "one")
    assert changed(tmp_path) == []
    commit(tmp_path, "two")
    (tmp_path / "new").write_text("")
    assert changed(tmp_path) == ["new", "two"]


def test_files_lead_to_the_folder_of_their_rooms() -> None:
    paths = ["components/rewards/code/run.py", "r1flow/cli/run.py", "flows/r1.py", "tasks/stage.py", "infra/stack.py"]
    paths += ["tests/components/store/rollouts/test_lake.py", "tests/test_house.py", "tests/components/conftest.py"]
    assert folders_for(paths) == [
        "tests/cli",
        "tests/components/rewards",
        "tests/components/store",
        "tests/flows",
        "tests/infra",
        "tests/tasks",
        "tests/test_house.py",
    ]
    assert (
        folders_for(
            ["README.md", "tests/faults/test_ranks.py", "benchmarks/lake.py", "tests/test_gone.py", "r1flow/components"]
        )
        == []
    )


def test_every_room_has_tests_and_what_is_none_is_refused() -> None:
    rooms = {path.name for path in (ROOT / "components").iterdir() if (path / "__init__.py").is_file()}
    for room in {*rooms, *OTHERS}:
        assert list((ROOT / folder_of(room)).rglob("test_*.py")), room
    with pytest.raises(SystemExit, match="there is no room 'cellar'"):
        folder_of("cellar")


def test_every_marker_but_long_is_left_out_by_pytest_s_own_options_too() -> None:
    options = tomllib.loads(page("pyproject.toml"))["tool"]["pytest"]["ini_options"]
    left_out = re.findall(r"not (\w+)", options["addopts"])
    assert [*left_out, "long"] == list(ELSEWHERE)
    assert {marker.partition(":")[0] for marker in options["markers"]} == set(ELSEWHERE)
