"""What `pip install` gets: a wheel of the package alone, whole, that runs a recipe far from any checkout."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

import r1flow
from r1flow.components.store.artifact import all_artifacts
from r1flow.components.store.objects import open_store
from tests.docs import page, repository_files
from tests.runs import ROOT, environment

SOURCES = ("r1flow", "flows", "tasks", "components", "pyproject.toml", "README.md", "LICENSE")
PIP = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input")


def run(*command: str | Path, cwd: Path, env: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, for setuptools leaves a folder where it builds; without network."""
    place = tmp_path_factory.mktemp("wheel")
    (place / "source").mkdir()
    for name in SOURCES:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, place / "source" / name, symlinks=True, ignore=ignored)
        else:
            shutil.copy(ROOT / name, place / "source")
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", place)
    run(*PIP, "wheel", *options, place / "source", cwd=place)
    [built] = place.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path) -> Path:
    """A folder with the package and its script, beside nothing else of the checkout."""
    target = wheel.parent / "installed"
    run(*PIP, "install", "--no-deps", "--no-index", "--target", target, wheel, cwd=wheel.parent)
    return target


def test_the_wheel_has_the_package_with_all_its_files_and_nothing_else(wheel: Path) -> None:
    assert wheel.name == f"r1flow-{r1flow.__version__}-py3-none-any.whl"
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names} == {"r1flow", f"r1flow-{r1flow.__version__}.dist-info"}
    kept = [name for name in repository_files() if name.startswith(("components/", "flows/", "tasks/", "r1flow/"))]
    wanted = {f"r1flow/{name.removeprefix('r1flow/')}" for name in kept if not name.endswith(".md")}
    assert wanted == {name for name in names if name.startswith("r1flow/")}
    assert {".typed", ".toml", ".jinja", ".css", ".js", ".safetensors"} <= {Path(name).suffix for name in wanted}


def test_the_version_stands_in_one_place_and_heads_the_changelog() -> None:
    assert re.findall(r"^version = ", page("pyproject.toml"), re.MULTILINE) == ["version = "]
    headings = re.findall(r"^## \[(.+?)\]", page("CHANGELOG.md"), re.MULTILINE)
    assert headings[:2] == ["Unreleased", r1flow.__version__]


def test_the_installed_package_is_found_without_the_checkout(installed: Path, tmp_path: Path) -> None:
    env = {**environment(tmp_path), "PYTHONPATH": str(installed)}
    code = "import r1flow, r1flow.flows, r1flow.components.core as core; print(r1flow.__file__, core.__file__)"
    files = run(sys.executable, "-c", code, cwd=tmp_path, env=env).split()
    assert [Path(file).is_relative_to(installed) for file in files] == [True, True]
    assert "smoke" in run(installed / "bin" / "r1", "plan", "smoke", cwd=tmp_path, env=env)


@pytest.mark.slow
def test_the_installed_package_runs_the_recipe_in_miniature_from_an_empty_folder(
    installed: Path, tmp_path: Path
) -> None:
    """Its folder lies below another project's checkout, whose commit is not r1flow's."""
    run("git", "init", "--quiet", cwd=installed)
    identity = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.org")
    run("git", *identity, "commit", "--quiet", "--allow-empty", "--message", "theirs", cwd=installed)
    empty, home = tmp_path / "empty", tmp_path / "home"
    empty.mkdir()
    env = {**environment(home), "PYTHONPATH": str(installed)}
    summary = tmp_path / "summary.json"
    run(installed / "bin" / "r1", "run", "smoke", "--json", summary, cwd=empty, env=env)
    assert json.loads(summary.read_text())["recipe"] == "smoke"
    assert os.listdir(empty) == []
    made = [manifest.provenance for _, manifest in all_artifacts(open_store(str(home / "store")))]
    assert len(made) > 10
    assert {provenance["commit"] for provenance in made} == {None}
