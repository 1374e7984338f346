"""Presets, metrics and links of the pages; the code and the recipes that they show."""

import ast
import doctest
import importlib
import importlib.util
import re
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

import r1flow
from r1flow.components.recipe.presets import load_recipe, make_recipe, preset_names
from r1flow.components.rewards import shipped
from tests.docs import PAGES, ROOT, blocks, page, prose, section

_FIGURE = re.compile(r"\d\.\d|\d %|\d (?:s|min|MB|GB)\b")
_SOURCE = re.compile(r"`(?:python )?benchmarks/\w+\.py|`(?:make|r1) \w+")


def tables(name: str) -> list[tuple[str, str]]:
    """Every table of a page with the paragraphs around it."""
    paragraphs = [part.strip() for part in re.split(r"\n\s*\n", prose(name))]
    found = []
    for place, part in enumerate(paragraphs):
        if part.startswith("|"):
            around = [*paragraphs[max(0, place - 2) : place], *paragraphs[place + 1 : place + 2]]
            found.append((part, "\n".join(text for text in around if not text.startswith("#"))))
    return found


def test_every_preset_has_its_line_in_the_table_and_loads() -> None:
    lines = section("README.md", "Changing things")
    for name in preset_names():
        assert re.search(rf"^\| `{re.escape(name)}` \| \S.+ \|$", lines, re.MULTILINE), f"no line for {name}"
        assert load_recipe(name).name == name


def test_the_table_of_presets_and_that_of_examples_name_nothing_else() -> None:
    presets = section("README.md", "Changing things")
    assert set(re.findall(r"^\| `([^`]+)` \|", presets, re.MULTILINE)) == set(preset_names())
    examples = section("README.md", "Your own recipe")
    there = {path.name for path in (ROOT / "examples").iterdir() if path.suffix in (".toml", ".py")}
    assert set(re.findall(r"^\| `([^`]+)` \| \S.+ \|$", examples, re.MULTILINE)) == there


@pytest.mark.parametrize("name", PAGES)
def test_every_table_with_figures_names_the_program_that_printed_them(name: str) -> None:
    for table, around in tables(name):
        if _FIGURE.search(table):
            assert _SOURCE.search(around), f"{name}: no source beside\n{table}"


@pytest.mark.parametrize("name", PAGES)
def test_every_relative_link_leads_somewhere(name: str) -> None:
    targets = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", prose(name))
    assert [target for target in targets if not (ROOT / target).exists()] == []


@pytest.mark.parametrize("name", PAGES)
def test_every_file_that_is_named_with_its_folder_exists(name: str) -> None:
    shown = set(re.findall(r"^# (\S+\.py)", "\n".join(blocks(name, "python")), re.MULTILINE))
    named = re.findall(r"`((?:flows|tasks|components|tests|benchmarks|examples|r1flow)/[\w./-]+\.\w+)", prose(name))
    assert sorted(set(named) - shown - {path for path in named if (ROOT / path).exists()}) == []


def example_files() -> set[str]:
    """Modules that the examples of CONTRIBUTING make up: those whose path heads a block and is no file here."""
    heads = re.findall(r"^# (\S+)\.py", "\n".join(blocks("CONTRIBUTING.md", "python")), re.MULTILINE)
    return {head.replace("/", ".") for head in heads if not (ROOT / f"{head}.py").exists()}


def example_names() -> set[str]:
    """What the examples of CONTRIBUTING add to modules that are there, as ``module.name``."""
    return {
        f"r1flow.{head[1].replace('/', '.')}.{node.name}"
        for code in blocks("CONTRIBUTING.md", "python")
        if (head := re.match(r"# (\S+)\.py", code)) and (ROOT / f"{head[1]}.py").exists()
        for node in ast.parse(code).body
        if isinstance(node, ast.ClassDef | ast.FunctionDef)
    }


@pytest.mark.parametrize("code", [*blocks("CONTRIBUTING.md", "python"), *blocks("README.md", "python")])
def test_an_example_compiles_and_imports_what_there_is(code: str) -> None:
    tree = ast.parse(code)
    compile(tree, "page", "exec")
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "r1flow":
            assert node.attr in r1flow.__all__, f"r1flow.{node.attr}"
        if not isinstance(node, ast.ImportFrom) or node.module is None or node.module in example_files():
            continue
        module = importlib.import_module(node.module)
        for alias in node.names:
            name = f"{node.module}.{alias.name}"
            known = hasattr(module, alias.name) or name in example_names() or importlib.util.find_spec(name)
            assert known, f"from {node.module} import {alias.name}"


@pytest.mark.parametrize("code", [code for code in blocks("CONTRIBUTING.md", "python") if "RewardBatch" in code])
def test_an_example_of_a_reward_does_what_it_says(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = dict(shipped.SHIPPED)
    monkeypatch.setattr(shipped, "SHIPPED", registry)
    example = ModuleType("example")
    exec(compile(code, "CONTRIBUTING.md", "exec"), vars(example))
    examples = [test for test in doctest.DocTestFinder().find(example) if test.examples]
    assert examples
    for test in examples:
        assert doctest.DocTestRunner().run(test).failed == 0, test.name
    assert ("rarity" in registry) == ("@shipped" in code)


@pytest.fixture
def own_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder, on the Python path, with the modules that CONTRIBUTING has people write outside of r1flow."""
    for code in blocks("CONTRIBUTING.md", "python"):
        head = re.match(r"# (mypkg/\w+)\.py", code)
        if head:
            path = tmp_path / f"{head[1]}.py"
            path.parent.mkdir(exist_ok=True)
            path.write_text(code)
            monkeypatch.delitem(sys.modules, head[1].replace("/", "."), raising=False)
    monkeypatch.delitem(sys.modules, "mypkg", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.mark.parametrize("text", blocks("CONTRIBUTING.md", "toml"))
@pytest.mark.usefixtures("own_modules")
def test_an_example_recipe_loads(text: str) -> None:
    """A whole one by itself, a part of one over `tiny`."""
    given = tomllib.loads(text)
    recipe = make_recipe(given if "name" in given else {"preset": "tiny", **given})
    for table in ("models", "datasets", "stages", "suites", "promote"):
        assert set(given.get(table, {})) <= set(getattr(recipe, table))


@pytest.mark.parametrize("text", blocks("README.md", "toml"))
def test_a_recipe_of_the_readme_loads_by_itself(text: str) -> None:
    assert make_recipe({"name": "page", **tomllib.loads(text)}).graph.nodes


def test_the_changelog_starts_with_what_is_unreleased() -> None:
    assert re.search(r"^## \[?(?:Unreleased|\d+\.\d+\.\d+)\]?", page("CHANGELOG.md"), re.MULTILINE)
