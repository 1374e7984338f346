"""``r1 certify gradient``: one batch's gradient by every way there is to compute it, as a table."""

import tempfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from r1flow.components.core.spool import SpoolTail
from r1flow.components.processes.keeper import run_program
from r1flow.components.store.models import locate_model
from r1flow.components.training.checks.cases import MICRO, STAGES, Case, all_cases
from r1flow.components.training.checks.limits import GRADIENT

PROGRAM = "r1flow.components.programs.prove_gradient"
RANKS = (0, 1, 2)
"""0: the plain engine; else DeepSpeed's on so many ranks."""


def certify_gradient(model: str | None, seed: int) -> bool:
    """Compute every case on every engine that is installed; print the table. Whether all are within the limit."""
    console = Console()
    directory = None if model is None else str(locate_model(model))
    installed = find_spec("deepspeed") is not None
    found: dict[int, dict[str, float]] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with tempfile.TemporaryDirectory() as name, Progress(*columns, console=console, transient=True) as bar:
        for ranks in RANKS:
            if ranks == 0 or installed:
                found[ranks] = _measure(Path(name) / str(ranks), directory, ranks, seed, bar)
    errors = [error for by_name in found.values() for error in by_name.values()]
    console.print(_table(found))
    worst, count = max(errors), len(errors)
    console.print(
        f"{count} gradients of 64 completions beside the float64 one: at most {worst:.1e}, limit {GRADIENT:.0e}"
    )
    if not installed:
        console.print("DeepSpeed is not installed: of its engines nothing is proved; `make cpu` installs it")
    return worst <= GRADIENT


def cases(ranks: int) -> list[Case]:
    return all_cases([None] if ranks == 0 else STAGES)


def _measure(work: Path, model: str | None, ranks: int, seed: int, bar: Progress) -> dict[str, float]:
    """The errors of one start, by case."""
    wanted = cases(ranks)
    label = "single" if ranks == 0 else f"DeepSpeed, {ranks} rank{'s' * (ranks > 1)}"
    task, tail = bar.add_task(label, total=len(wanted)), SpoolTail(work / "metrics.jsonl")
    spec = {"model": model, "ranks": ranks, "cases": [list(c) for c in wanted], "seed": seed, "work": str(work)}
    try:
        return run_program(
            PROGRAM, spec, work=work / "keeper", server=None, poll=lambda: bar.advance(task, len(tail.poll()))
        )
    finally:
        bar.remove_task(task)


def _table(found: Mapping[int, Mapping[str, float]]) -> Table:
    """A row per engine, ranks and packing: the worst objective for every micro-batch, and which it is."""
    table = Table(box=None, pad_edge=False)
    for name in ("engine", "ranks", "rows", *(f"micro-batch {m}" for m in MICRO), "worst objective", ""):
        table.add_column(name, justify="right" if name == "ranks" or name.startswith("micro") else "left")
    for ranks in RANKS:
        engines = {case.name.split("/")[0]: None for case in cases(ranks)}
        for engine in engines:
            for packing in ("padded", "packed"):
                prefix = f"{engine}/{packing}/"
                errors = {n: e for n, e in found.get(ranks, {}).items() if n.startswith(prefix)}
                table.add_row(engine, str(max(1, ranks)), packing, *_cells(errors, prefix))
    return table


def _cells(errors: Mapping[str, float], prefix: str) -> list[str]:
    if not errors:
        return [*("-" for _ in MICRO), "", "not installed"]
    worst = [max(e for n, e in errors.items() if n.startswith(f"{prefix}{micro}/")) for micro in MICRO]
    name = max(errors, key=lambda n: errors[n]).rsplit("/", 1)[1]
    return [*(f"{error:.1e}" for error in worst), name, "holds" if max(worst) <= GRADIENT else "FAILS"]
