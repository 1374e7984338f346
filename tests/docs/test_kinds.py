"""Kinds of stages: ARCHITECTURE's table of them, and CONTRIBUTING's two ways to add one, done as it says."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from r1flow.components.recipe.kinds import IMPLIED, STAGES
from r1flow.components.recipe.presets import make_recipe
from tests.docs import ROOT, section

SECTION = section("CONTRIBUTING.md", "Add a kind of stage")
CODE = dict(re.findall(r"^```python\n# (\S+\.py)\n(.*?)^```$", SECTION, re.MULTILINE | re.DOTALL))
RECIPE = re.search(r"^```toml\n(.*?)^```$", SECTION, re.MULTILINE | re.DOTALL)
SHIPPED = [path for path in CODE if path.startswith("components/")]


def test_the_table_of_fingerprints_is_the_table_of_kinds() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| `(\w+)` \|(.*?)\|(.*?)\|$", section("ARCHITECTURE.md", "Fingerprints"), re.MULTILINE
    )
    printed = [
        (kind, artifact, *(tuple(re.findall(r"`(\w+)`", cell)) for cell in cells)) for kind, artifact, *cells in rows
    ]
    kinds = (*STAGES.values(), *IMPLIED.values())
    assert printed == [(kind.name, kind.artifact, kind.gives, kind.reads) for kind in kinds]


def test_a_kind_of_ones_own_is_one_module_and_a_section(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [own] = set(CODE) - set(SHIPPED)
    module = tmp_path / own
    module.parent.mkdir()
    module.write_text(CODE[own])
    for name in (own.split("/")[0], own.removesuffix(".py").replace("/", ".")):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    assert RECIPE is not None
    given = tomllib.loads(RECIPE[1])
    [(name, stage)] = given["stages"].items()
    recipe = make_recipe({"preset": "tiny", **given})
    assert recipe.graph.nodes[name].needs == (stage["from"],)
    assert recipe.graph.nodes[name].kind.name == stage["kind"]
    assert type(recipe.stages[name]).__module__ == own.removesuffix(".py").replace("/", ".")


def test_a_shipped_kind_is_three_files(tmp_path: Path) -> None:
    assert len(SHIPPED) == 3
    for folder in ("components", "flows", "tasks", "r1flow"):
        shutil.copytree(ROOT / folder, tmp_path / folder, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for path in SHIPPED:
        file = tmp_path / path
        lines = [line for line in CODE[path].splitlines() if "not needed in the file itself" not in line]
        file.write_text("\n".join([file.read_text() if file.exists() else "", *lines, ""]))
    program = (
        "import json, r1flow\n"
        "from r1flow.components.programs import effort\n"
        "from r1flow.tasks.declare import declare\n"
        "recipe = r1flow.load_recipe({'preset': 'tiny', 'stages': {'cost': {'kind': 'effort', 'from': 'dev2'}}})\n"
        "node = recipe.graph.nodes['cost']\n"
        "print(json.dumps([r1flow.__file__, effort.__file__, node.kind.program, node.needs]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    package, module, named, needs = json.loads(done.stdout.splitlines()[-1])
    assert Path(package).is_relative_to(tmp_path)
    assert Path(module).is_relative_to(tmp_path)
    assert (named, needs) == ("effort", ["dev2"])
