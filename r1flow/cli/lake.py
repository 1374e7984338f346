"""``r1 lake query``: one SELECT over everything that was sampled."""

import json
import sys
import time
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from r1flow.components.evals.lake.query import Answer, open_lake
from r1flow.components.evals.lake.tables import sources
from r1flow.components.evals.report.samples import printable
from r1flow.components.recipe.settings import Settings
from r1flow.components.store.objects import open_store

SHOWN, WIDTH = 100, 120


def query(sql: str, json_lines: bool) -> None:
    """Print the answer as a table of at most SHOWN rows, or all of it as JSON lines."""
    settings = Settings()
    with open_lake(sources(open_store(settings.store_uri), settings.cache)) as lake:
        started = time.monotonic()
        answer = lake.ask(sql, limit=None if json_lines else SHOWN)
        seconds = time.monotonic() - started
    if json_lines:
        for row in answer.rows:
            sys.stdout.write(json.dumps(dict(zip(answer.columns, row, strict=True)), default=str) + "\n")
        return
    console = Console()
    console.print(_table(answer))
    rest = f"the first {SHOWN} rows; --json gives all" if answer.more else f"{len(answer.rows)} rows"
    console.print(f"{rest}, {seconds:.2f} s")


def _table(answer: Answer) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in answer.columns:
        table.add_column(Text(printable(name)), overflow="fold")
    for row in answer.rows:
        table.add_row(*(_cell(value) for value in row))
    return table


def _cell(value: Any) -> Text:
    """A value as people read it; what a model wrote is data, never markup, and no control character gets through."""
    text = "" if value is None else f"{value:.4f}" if isinstance(value, float) else printable(str(value))
    return Text(
        text if len(text) <= WIDTH else f"{text[:WIDTH]}...",
        justify="right" if isinstance(value, int | float) else None,
    )
