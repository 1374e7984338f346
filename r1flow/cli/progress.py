"""The live view of a run: one line per stage at work, with the metrics that matter."""

import threading
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

from r1flow.cli.headline import headline
from r1flow.components.core.spool import SpoolRow
from r1flow.tasks.session import StageOutcome

METRICS = (("reward", "reward", "{:.2f}"), ("pass_at_1", "pass@1", "{:.2f}"), ("loss", "loss", "{:.3f}"))


class Progress:
    """Shows stages as they start, move and end; prints a line for each that has ended."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._tasks: dict[str, TaskID] = {}
        self._lock = threading.Lock()
        self._bars = RichProgress(
            SpinnerColumn(),
            TextColumn("{task.description:<22}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[metrics]:<44}"),
            TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
        )

    def __enter__(self) -> "Progress":
        self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bars.stop()

    def started(self, name: str, total_steps: int | None) -> None:
        with self._lock:
            self._tasks[name] = self._bars.add_task(name, total=total_steps, metrics="")

    def progressed(self, name: str, rows: list[SpoolRow]) -> None:
        last = rows[-1]
        shown = [f"{label} {form.format(last.metrics[key])}" for key, label, form in METRICS if key in last.metrics]
        if speed := last.metrics.get("time/tokens_per_s"):
            shown.append(f"{speed:,.0f} tokens/s")
        with self._lock:
            self._bars.update(self._tasks[name], completed=last.step, metrics="  ".join(shown))

    def finished(self, outcome: StageOutcome) -> None:
        with self._lock:
            self._bars.remove_task(self._tasks.pop(outcome.name))
        how = "reused" if outcome.reused else f"{outcome.seconds:6.1f} s"
        metric = headline(outcome.metrics)
        address = f"{outcome.ref.kind}/{outcome.ref.fingerprint[:8]}"
        self.console.print(f"[green]ok[/] {outcome.name:<20} {how:>8}  {address:<19} {metric}", soft_wrap=True)
