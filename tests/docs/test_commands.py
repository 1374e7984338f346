"""Every command that the pages name exists, with its options and its settings."""

import re
import shlex
from typing import Any

import pytest
import typer

from r1flow.cli.main import app
from r1flow.components.recipe.presets import load_recipe, preset_names, split_settings
from r1flow.components.recipe.settings import Settings
from r1flow.components.recipe.sweep import axes_of
from tests.docs import PAGES, ROOT, blocks, page, spans

_R1 = re.compile(r"^(?:\$ )?(?:[A-Z][A-Z0-9_]*=\S+ )*r1 (.+)$", re.MULTILINE)
_MAKE = re.compile(r"^(?:\$ )?(?:[A-Z][A-Z0-9_]*=\S+ )*make ((?:[a-z][a-z-]*\b ?)+)", re.MULTILINE)


def whole_commands() -> list[str]:
    """The `r1 ...` lines of code blocks: they must run as they stand."""
    return [line for name in PAGES for body in blocks(name) for line in _R1.findall(body.replace("\\\n", " "))]


def named_commands() -> list[str]:
    """The `r1 ...` of running text: arguments may be left out."""
    return [match for name in PAGES for span in spans(name) for match in _R1.findall(span) if match[0] != "-"]


def examples() -> list[str]:
    return [f"examples/{path.name}" for path in (ROOT / "examples").glob("*.toml")]


def parsed(line: str) -> tuple[str, dict[str, Any]]:
    """The command of ``r1 <line>`` and its parameters, as the command line reads them."""
    name, *arguments = shlex.split(line, comments=True)
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    assert name in commands, f"r1 {line}: there is no command {name}; there are {', '.join(commands)}"
    return name, commands[name].make_context(name, arguments).params


def test_the_pages_show_commands() -> None:
    assert len(whole_commands()) >= 10
    shown = {shlex.split(line)[0] for line in whole_commands() + named_commands()}
    assert set(typer.main.get_command(app).commands) <= shown  # type: ignore[attr-defined]


@pytest.mark.parametrize("line", sorted(set(whole_commands())))
def test_a_command_of_a_code_block_is_accepted_as_it_stands(line: str) -> None:
    name, parameters = parsed(line)
    if name in ("run", "plan") and parameters["preset"] in (*preset_names(), *examples()):
        _, overrides = split_settings(parameters["overrides"] or [], Settings.model_fields)
        recipe = load_recipe(parameters["preset"], overrides)
        recipe.graph.only(parameters.get("only") or ())
        for key, values in axes_of(parameters.get("sweeps") or ()).items():
            load_recipe(parameters["preset"], [*overrides, *(f"{key}={value}" for value in values)])


@pytest.mark.parametrize("line", sorted(set(named_commands())))
def test_a_command_of_the_text_exists(line: str) -> None:
    # typer carries its own copy of click, whose classes have no public name.
    assert refusal(line).partition(":")[0] in ("", "MissingParameter"), f"r1 {line}: {refusal(line)}"


def refusal(line: str) -> str:
    """Why the command line refuses ``r1 <line>``; nothing where it accepts it."""
    try:
        parsed(line)
    except Exception as error:  # whatever it is, it is what the assertion reports
        return f"{type(error).__name__}: {error}"
    return ""


def test_every_make_target_exists() -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    texts = [text for name in PAGES for text in [*blocks(name), *spans(name)]]
    named = {target for text in texts for match in _MAKE.findall(text) for target in match.split()}
    assert {"demo", "test"} <= named
    assert sorted(named - targets) == []


def test_every_environment_variable_exists() -> None:
    settings = {f"R1_{name.upper()}" for name in Settings.model_fields}
    places = ("prefect.yaml", ".ci/run", "tests/conftest.py")
    others = {name for place in places for name in re.findall(r"\bR1_[A-Z_]+", page(place))}
    named = {name for page_name in PAGES for name in re.findall(r"\bR1_[A-Z_]*[A-Z]\b", page(page_name))}
    assert sorted(named - settings - others) == []
