"""``r1 verify``: the rewards' own verdict on a file of answers."""

import os
from pathlib import Path
from statistics import fmean
from typing import get_args

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from r1flow.components.core.errors import ConfigError
from r1flow.components.rewards.pool.files import Kind, Summary, verify_file
from r1flow.components.rewards.pool.pool import ScoringPool


def verify(source: Path, out: Path, kind: str, workers: int | None) -> None:
    """Verify ``source`` into ``out`` and print what was found."""
    if out.exists() and out.samefile(source):
        raise ConfigError(f"--out {out}: this is the file that is read; give another")
    chosen = next((known for known in get_args(Kind) if known == kind), None)
    if chosen is None:
        raise ConfigError(f"--kind {kind!r} is not one of {', '.join(get_args(Kind))}")
    console = Console()
    columns = (SpinnerColumn(), TextColumn("{task.completed} lines"), TimeElapsedColumn())
    with (
        ScoringPool(workers or os.cpu_count() or 1) as pool,
        Progress(*columns, console=console, transient=True) as bar,
    ):
        task = bar.add_task("verify", total=None)
        summary = verify_file(source, out, chosen, pool, progress=lambda lines: bar.update(task, completed=lines))
    _print(console, summary, out)


def _print(console: Console, summary: Summary, out: Path) -> None:
    total = summary.verdicts.total()
    table = Table(box=None, pad_edge=False)
    for name in ("verdict", "rows", "share"):
        table.add_column(name, justify="left" if name == "verdict" else "right")
    for verdict, count in summary.verdicts.most_common():
        table.add_row(verdict, str(count), f"{count / total:.1%}")
    console.print(table)
    if summary.rewards:
        console.print(f"mean reward {fmean(summary.rewards):.4f} over {len(summary.rewards)} scored rows")
    if summary.malformed:
        console.print(f"{len(summary.malformed)} malformed lines were left out:")
        for number, reason in summary.malformed[:20]:
            console.print(f"  line {number}: {reason}", markup=False)
        if len(summary.malformed) > 20:
            console.print(f"  and {len(summary.malformed) - 20} more")
    console.print(f"{total} rows in {summary.seconds:.1f} s, written to {out}", markup=False)
