"""``r1 ledger``: which problems are hard, which nobody solves, which labels look wrong."""

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from r1flow.cli.run import run_flow
from r1flow.components.core.errors import ConfigError
from r1flow.components.data.ledger import LABEL_LOOKS_WRONG, LEDGER, NEVER_SOLVED, read_ledger
from r1flow.components.evals.report.samples import printable
from r1flow.components.recipe.presets import split_settings
from r1flow.components.recipe.recipe import Recipe
from r1flow.components.recipe.run import LedgerConfig, RunConfig
from r1flow.components.recipe.settings import Settings
from r1flow.components.store.artifact import ArtifactRef, materialize
from r1flow.components.store.objects import open_store

SHOWN = 48  # characters of a prompt or an answer


def show_ledger(overrides: list[str], rows: int) -> None:
    """Make the ledger of the store, or find that it is there, and print the ends of its lists."""
    chosen, rest = split_settings(overrides, Settings.model_fields)
    settings, asked = Settings.model_validate(chosen), _asked(rest)
    settings.prepare()
    recipe = Recipe(name="ledger", run=RunConfig(device="cpu"))
    console = Console()

    def flow() -> None:
        from r1flow.flows.ledger import ledger

        ledger(asked.min_samples, asked.agreement)

    summary = run_flow(flow, recipe, settings, console, time.monotonic())
    ref = ArtifactRef.model_validate(summary["stages"][-1]["ref"])
    directory = materialize(open_store(settings.store_uri), ref, settings.cache)
    console.print(f"[bold]ledger/{ref.fingerprint[:12]}[/]")
    for title, found in lists(directory).items():
        table = Table("problem", "level", "samples", "pass rate", "gold", "majority", "prompt", box=None)
        table.title, table.title_justify = f"\n{title}: {len(found):,}", "left"
        for row in found[:rows]:
            table.add_row(*cells(row))
        console.print(table if found else f"\n{title}: none")


def _asked(overrides: list[str]) -> LedgerConfig:
    """``min_samples=8`` and so on; ConfigError for what the ledger has no setting for."""
    given = dict(override.partition("=")[::2] for override in overrides)
    try:
        return LedgerConfig.model_validate(given)
    except ValidationError as error:
        known = ", ".join(LedgerConfig.model_fields)
        raise ConfigError(f"--set {' '.join(overrides)}: {error.errors()[0]['msg']}; the ledger has {known}") from error


def lists(directory: Path) -> dict[str, list[dict[str, Any]]]:
    """Hardest among the solved, never solved, and doubtful problems, from the ledger's files."""

    def lines(name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (directory / name).read_text(encoding="utf-8").splitlines()]

    solved = [row for row in read_ledger(directory / LEDGER) if row["correct"]]
    return {
        "hardest of those solved": sorted(solved, key=lambda row: (row["pass_rate"], row["key"])),
        "never solved": lines(NEVER_SOLVED),
        "label looks wrong": lines(LABEL_LOOKS_WRONG),
    }


def cells(row: Mapping[str, Any]) -> Sequence[str]:
    rate = "" if row["pass_rate"] is None else f"{row['pass_rate']:.3f}"
    majority = f"{_short(row['majority'] or 'none')} ({row['majority_share']:.0%})"
    level = "" if row["level"] is None else str(row["level"])
    return row["id"], level, f"{row['samples']:,}", rate, _short(row["gold"]), majority, _short(row["prompt"])


def _short(text: str) -> str:
    """On one line, without markup."""
    line = " ".join(printable(text).split()).replace("[", r"\[")
    return line if len(line) <= SHOWN else line[: SHOWN - 1] + "\u2026"
