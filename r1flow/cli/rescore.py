"""``r1 rescore``: verdicts of stored completions by the verifiers of this checkout, and who trained on what flipped."""

import os
from collections import Counter
from typing import Any

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from r1flow.components.core.errors import DataError
from r1flow.components.evals.lake.descendants import runs_of, trained_on
from r1flow.components.evals.lake.rescore import Rescored, can_be_rescored, rescore, verifier_digest
from r1flow.components.evals.report.samples import printable
from r1flow.components.recipe.settings import Settings
from r1flow.components.rewards.pool.pool import ScoringPool
from r1flow.components.store.artifact import all_artifacts, resolve
from r1flow.components.store.manifest import ArtifactRef, Manifest
from r1flow.components.store.objects import ObjectStore, open_store

SHOWN = 10  # flips of one artifact


def rescore_all(names: list[str], workers: int | None) -> None:
    """Rescore the named artifacts, or every one that holds completions; print flips and the runs behind them."""
    settings = Settings()
    store = open_store(settings.store_uri)
    published = all_artifacts(store)
    known = {ref.fingerprint: manifest for ref, manifest in published}
    refs = [resolve(store, name) for name in names] or [ref for ref, made in published if can_be_rescored(made)]
    if not refs:
        raise DataError(f"{store.uri} holds no completions yet; `r1 run tiny` makes some")
    console = Console()
    console.print(f"verifiers {verifier_digest()[:12]}")
    columns = (SpinnerColumn(), TextColumn("{task.description} {task.completed}"), TimeElapsedColumn())
    with (
        ScoringPool(workers or os.cpu_count() or 1) as pool,
        Progress(*columns, console=console, transient=True) as bar,
    ):
        for ref in refs:
            task = bar.add_task(ref.short)
            found = rescore(store, ref, settings.cache, pool, lambda n, task=task: bar.update(task, completed=n))
            bar.remove_task(task)
            _show(console, store, known, ref, found)
    console.print("`r1 lake query` has the table rescored: flips are the rows WHERE before IS DISTINCT FROM after")


def _show(console: Console, store: ObjectStore, known: dict[str, Manifest], ref: ArtifactRef, found: Rescored) -> None:
    stage = known[ref.fingerprint].provenance.get("stage", "")
    state = ", as judged before" if found.reused else ""
    console.print(f"{ref.short}  {stage}  {found.completions:,} completions, {len(found.flips):,} flips{state}")
    if not found.flips:
        return
    counts = Counter((row["before"], row["after"]) for row in found.flips)
    for (before, after), count in counts.most_common():
        console.print(f"  {count:,} {before or 'UNUSABLE'} -> {after or 'UNUSABLE'}")
    console.print(_flips(found.flips[:SHOWN]))
    if len(found.flips) > SHOWN:
        console.print(f"  and {len(found.flips) - SHOWN:,} more")
    weighed = sum(bool(row["advantage"]) for row in found.flips)
    if any(row["advantage"] is not None for row in found.flips):
        console.print(f"  {weighed:,} of them had an advantage other than 0: {stage} itself learned from them")
    models = trained_on(known, ref)
    for name in models:
        manifest = known[name]
        console.print(
            f"  trained on these completions: {manifest.kind}/{name[:12]}  {manifest.provenance.get('stage', '')}"
        )
    for run, stages in runs_of(store, known, models).items():
        console.print(f"  in run {run}: {', '.join(stages)}", soft_wrap=True)


def _flips(flips: list[dict[str, Any]]) -> Table:
    table = Table("  suite or step", "problem", "sample", "before", "after", "answer", box=None, pad_edge=False)
    for row in flips:
        place = row["suite"] or f"step {row['step']}"
        cells = (f"  {place}", row["problem_id"], row["sample"], row["before"], row["after"], row["extracted"])
        table.add_row(*(Text(printable("" if cell is None else str(cell))[:60]) for cell in cells))
    return table
