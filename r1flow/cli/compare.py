"""``r1 compare``: runs side by side: where they part, why, and what came of it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from r1flow.components.core.errors import DataError
from r1flow.components.costs.bill import Spent, kept_cost
from r1flow.components.evals.compare import problem_means
from r1flow.components.evals.paired import compare_all
from r1flow.components.evals.report.differences import Parting, Stages, only_in, partings
from r1flow.components.evals.report.names import Names, names_of
from r1flow.components.recipe.settings import Settings
from r1flow.components.store.artifact import materialize, read_manifest
from r1flow.components.store.manifest import ArtifactRef
from r1flow.components.store.objects import ObjectStore, open_store
from r1flow.components.store.runs import recipe_name, summaries

SHOWN = 12  # differing settings of one stage
TOOK: dict[str, Callable[[Spent], str]] = {
    "device-s": lambda cost: f"{cost.device_seconds:,.1f}",
    "sampling, s": lambda cost: f"{cost.phases['sample']:,.1f}" if "sample" in cost.phases else "",
    "update, s": lambda cost: f"{cost.phases['update']:,.1f}" if "update" in cost.phases else "",
    "memory, GiB": lambda cost: f"{cost.memory_gib:.2f}" if cost.memory_gib else "",
}
"""What a training stage took; memory is one rank's, on a CPU above what its process held before it had a model."""


def compare_runs(names: Sequence[str]) -> None:
    """Every run against the first."""
    settings = Settings()
    store = open_store(settings.store_uri)
    runs = [_named(name, summaries(store)) for name in names]
    first, *others = [_stages(store, run) for run in runs]
    console = Console()
    for run, stages in zip(runs[1:], others, strict=True):
        console.print(f"[bold]{_title(runs[0])}[/] and [bold]{_title(run)}[/]")
        for line in _partings(first, stages):
            console.print(line, highlight=False, markup=False)
    console.print(_metrics(store, settings, runs, [first, *others]))
    if (training := _training(runs, [first, *others])).row_count:
        console.print(training)


def _named(name: str, runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """`last`, `last~1` for the one before, or the first digits of a run's id."""
    back = {"last": 0}.get(name, int(name[5:]) if name.startswith("last~") and name[5:].isdecimal() else None)
    found = [run for run in runs if run["run"].startswith(name)] if back is None else runs[::-1][back : back + 1]
    if len(found) != 1:
        known = ", ".join(f"{run['run'][:8]} ({recipe_name(run)})" for run in runs[-10:]) or "none"
        raise DataError(f"{name!r} is not one run; runs that ended here, newest last: {known}")
    return found[0]


def _stages(store: ObjectStore, run: Mapping[str, Any]) -> Stages:
    refs = {stage["name"]: ArtifactRef.model_validate(stage["ref"]) for stage in run["stages"]}
    return {name: (ref, read_manifest(store, ref)) for name, ref in refs.items()}


def _title(run: Mapping[str, Any]) -> str:
    return f"{recipe_name(run)}, seed {run['seed']} ({run['run'][:8]})"


def _names(runs: Sequence[Mapping[str, Any]]) -> Names:
    """How the stages of all runs are called, and in which order they come: as the first run that has one says."""
    known = [names_of(run) for run in runs]
    titles = {name: title for names in reversed(known) for name, title in names.titles.items()}
    starts = {name: start for names in reversed(known) for name, start in names.starts.items()}
    return Names({**known[0].titles, **titles}, known[0].main_line, {**known[0].starts, **starts})


def _partings(one: Stages, other: Stages) -> list[str]:
    found = [parting for parting in partings(one, other) if parting.stage != "report"]
    lines = [f"  only in the {which}: {', '.join(names)}" for which, names in _alone(one, other) if names]
    if not found:
        return [*lines, "  every stage that both have is the same artifact"]
    roots = [parting for parting in found if parting.is_root]
    lines += [line for parting in roots for line in _explained(parting)]
    after = [parting.stage for parting in found if not parting.is_root]
    return [*lines, f"  made from these, and so different too: {', '.join(after)}"] if after else lines


def _alone(one: Stages, other: Stages) -> list[tuple[str, list[str]]]:
    return [("first", only_in(one, other)), ("second", only_in(other, one))]


def _explained(parting: Parting) -> list[str]:
    more = [f"    and {len(parting.own) - SHOWN} more"] if len(parting.own) > SHOWN else []
    inputs = [f"    its inputs differ as well: {', '.join(parting.inputs)}"] if parting.inputs else []
    return [f"  {parting.stage} differs:", *(f"    {line}" for line in parting.own[:SHOWN]), *more, *inputs]


def _metrics(
    store: ObjectStore, settings: Settings, runs: Sequence[Mapping[str, Any]], found: Sequence[Stages]
) -> Table:
    """pass@1 of every evaluated model in every run; the others with the paired test's verdict against the first."""
    table, names = Table("model", "suite", *(run["run"][:8] for run in runs), box=box.SIMPLE), _names(runs)
    for name in names.in_order({name for stages in found for name in stages if name.startswith("evaluate/")}):
        measured = [stages.get(name) for stages in found]
        suites = {
            m.rpartition("/")[0] for pair in measured if pair for m in pair[1].metrics if m.endswith("/pass_at_1")
        }
        for suite in sorted(suites):
            table.add_row(names.title(name.removeprefix("evaluate/")), suite, *_row(store, settings, suite, measured))
    return table


def _training(runs: Sequence[Mapping[str, Any]], found: Sequence[Stages]) -> Table:
    """What training took where it was not the same, in the units that tell GRPO from PPO."""
    table, names = Table("training", "", *(run["run"][:8] for run in runs), box=box.SIMPLE), _names(runs)
    for name in names.in_order({name for stages in found for name in stages}):
        made = [stages.get(name) for stages in found]
        costs = [kept_cost(pair[1].provenance) if pair else None for pair in made]
        if len({pair[0].fingerprint for pair in made if pair}) < 2 or not any(c and c.phases for c in costs):
            continue
        for label, show in TOOK.items():
            cells = [show(cost) if cost else "" for cost in costs]
            if any(cells):
                table.add_row(names.title(name) if label == next(iter(TOOK)) else "", label, *cells)
    return table


def _row(
    store: ObjectStore, settings: Settings, suite: str, measured: Sequence[tuple[ArtifactRef, Any] | None]
) -> list[str]:
    means = [
        problem_means(materialize(store, pair[0], settings.cache), suite)
        if pair and f"{suite}/pass_at_1" in pair[1].metrics
        else {}
        for pair in measured
    ]
    others = {str(i): mean for i, mean in enumerate(means) if i and mean and set(mean) & set(means[0])}
    tested = compare_all(others, means[0]) if others else {}
    cells = []
    for index, mean in enumerate(means):
        rate = f"{sum(mean.values()) / len(mean):.3f}" if mean else ""
        verdict = f" {tested[str(index)].verdict}" if str(index) in tested else ""
        cells.append(rate + ("" if index and mean == means[0] else verdict))
    return cells
