"""A kind of stage of one's own, as CONTRIBUTING shows it: found by its module, part of the graph, computed once."""

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.conftest import Ran
from tests.docs import blocks
from tests.runs import r1, stages


@pytest.fixture
def home(smoke: Ran, tmp_path: Path) -> Path:
    shutil.copytree(smoke.home / "store", tmp_path / "store")
    return tmp_path


def example(folder: Path) -> Path:
    """The module and a recipe that uses it, over the smoke preset."""
    (module,) = (code for code in blocks("CONTRIBUTING.md", "python") if "class Effort(Stage)" in code)
    (toml,) = (text for text in blocks("CONTRIBUTING.md", "toml") if "mypkg.effort:Effort" in text)
    (folder / "mypkg").mkdir()
    (folder / "mypkg" / "effort.py").write_text(module)
    recipe = folder / "mine.toml"
    recipe.write_text(f'name = "smoke"\npreset = "smoke"\n{toml}')
    return recipe


def test_it_is_computed_from_what_it_names_and_then_found(home: Path) -> None:
    recipe = example(home)
    first, changed = (_run(home, recipe, number, *more) for number, more in enumerate(((), ("effort.at_least=2",))))
    assert first["dev2"]["reused"]
    assert not first["effort"]["reused"]
    assert first["effort"]["metrics"]["problems"] > 0
    assert not changed["effort"]["reused"]
    (home / "mypkg" / "effort.py").write_text((home / "mypkg" / "effort.py").read_text() + "# another source\n")
    assert not _run(home, recipe, 3)["effort"]["reused"]


def test_what_cannot_be_imported_is_refused_by_name(home: Path) -> None:
    recipe = example(home)
    recipe.write_text(re.sub(r"mypkg\.effort:Effort", "mypkg.efort:Effort", recipe.read_text()))
    done = r1(home, "run", str(recipe), path=home)
    assert done.returncode == 2
    assert "stages.effort" in done.stderr
    assert "mypkg.efort" in done.stderr
    assert "Traceback" not in done.stderr


def _run(home: Path, recipe: Path, number: int, *overrides: str) -> dict:
    summary = home / f"{number}.json"
    sets = [part for override in overrides for part in ("--set", override)]
    done = r1(home, "run", str(recipe), "--only", "effort", *sets, "--json", str(summary), path=home)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return stages(json.loads(summary.read_text()))
