"""``r1 plan``'s forecast: memory of a rank by part, for GRPO and for PPO; time and cost by stage."""

from collections.abc import Mapping
from dataclasses import replace

from rich.console import Console
from rich.table import Table

from r1flow.components.core.devices import CORE, DEVICES, device_named, price_of
from r1flow.components.core.errors import ConfigError
from r1flow.components.costs.decoder import Decoder
from r1flow.components.costs.memory import Parts
from r1flow.components.costs.others import other_memory
from r1flow.components.costs.preset import Stage, stages_of
from r1flow.components.costs.work import SAMPLING_SHARE, TRAINING_SHARE, Lengths, Rates, Work, recipe_work
from r1flow.components.recipe.recipe import Recipe
from r1flow.components.recipe.settings import Settings

GB = 1e9
CARD = "H100"
WITH_MODEL = ("rl", "sft", "rate", "evaluate")
"""Kinds that are planned."""


def show_forecast(
    console: Console,
    recipe: Recipe,
    settings: Settings,
    models: Mapping[str, Decoder],
    *,
    on: str | None,
    memory_gb: float | None,
    measure: bool,
) -> None:
    """All tables, as far as the recipe's start ``models`` are known."""
    device = device_named(on or (CORE if recipe.run.device == "cpu" else CARD))
    if device is None:
        raise ConfigError(f"--on {on}: no such device; there are {', '.join([*DEVICES, CORE])}")
    lengths, rates = Lengths(), _assumed(recipe, device)
    if measure:
        from r1flow.components.costs.calibrate import calibrate

        rates, lengths = calibrate(recipe)
    room = memory_gb * GB if memory_gb else DEVICES[device].memory if device in DEVICES else None
    process = recipe.run.device == "cpu"
    if stages := stages_of(recipe, lengths, models):
        _memory(console, stages, room, process=process)
    if others := other_memory(recipe, models, lengths):
        _others(console, others, room, process=process)
    work = list(recipe_work(recipe, models, lengths))
    if work:
        each = recipe.run.threads if device == CORE else 1
        _time(console, work, rates, each, device, price_of(device, settings.prices), lengths)
    _unplanned(console, recipe, models, {each.stage for each in work})


def _assumed(recipe: Recipe, device: str) -> Rates | None:
    """A card's peak times assumed shares of it; of a CPU nobody knows without measuring."""
    if device == CORE:
        return None
    card = DEVICES[device]
    peak = card.bfloat16 if recipe.run.engine.dtype == "bfloat16" else card.float32
    source = f"{device}'s peak, {SAMPLING_SHARE:.0%} of it assumed for sampling and {TRAINING_SHARE:.0%} for training"
    return Rates(SAMPLING_SHARE * peak, TRAINING_SHARE * peak, source)


def _memory(console: Console, stages: list[Stage], room: float | None, *, process: bool) -> None:
    title = "Memory of one rank" + (" (of the process, above what it holds without a model)" if process else "")
    table = Table("part", title=title, title_justify="left")
    columns = []
    for stage in stages:
        for value in (False, True):
            table.add_column(f"{stage.name}\n{'PPO' if value else 'GRPO'}", justify="right")
            columns.append(_cells(stage, stage.memory(value=value), room, process=process))
    for name in columns[0]:
        table.add_row(name, *(column[name] for column in columns))
    console.print(table)
    layout, batch = stages[0].layout, stages[0].batch
    zero = "plain torch in one process" if layout.zero is None else f"ZeRO {layout.zero} over {layout.ranks} ranks"
    room_is = f"room {size(room)}" if room else "--memory GB says what would fit"
    console.print(
        f"{zero}, {layout.bytes} bytes per weight; prompts of {batch.prompt}, completions of {batch.completion} tokens, "
        f"micro_tokens {batch.micro_tokens:,}; {room_is}"
    )


def _others(console: Console, others: Mapping[str, Parts], room: float | None, *, process: bool) -> None:
    """A row for all stages that need the same."""
    title = "Memory of SFT, ratings and evaluations: one process, float32"
    columns = ("weights", "gradients", "optimizer", "activations", "log-probabilities", "KV cache", "peak")
    table = Table("stage", title=title, title_justify="left")
    for column in (*columns, "fits") if room else columns:
        table.add_column(column, justify="right")
    alike: dict[Parts, list[str]] = {}
    for name, found in others.items():
        alike.setdefault(found, []).append(name)
    for found, names in alike.items():
        states, peak = found.policy, found.process if process else found.peak
        moving = (found.activations, found.log_probabilities, found.sampling)
        cells = [size(x) for x in (states.weights, states.gradients, states.optimizer, *moving, peak)]
        also = f" and {len(names) - 1} more" if len(names) > 1 else ""
        table.add_row(names[0] + also, *cells, *(["yes" if peak <= room else "no"] if room else []))
    console.print(table)


def _unplanned(console: Console, recipe: Recipe, models: Mapping[str, Decoder], planned: set[str]) -> None:
    """What computes with a model and is in no table, and why."""
    nodes = {name: node for name, node in recipe.graph.nodes.items() if name not in planned}
    starts = {
        name: recipe.start_of(node.subject or name) for name, node in nodes.items() if node.kind.name in WITH_MODEL
    }
    unknown = [name for name, start in starts.items() if start and start not in models]
    rows = [name for name, start in starts.items() if start in models]
    if unknown:
        console.print(f"Not planned, for nobody knows the model: {', '.join(unknown)}")
    if rows:
        console.print(
            f"Work not planned, for only the data knows how many rows there are: {', '.join(rows)}; say it in the source's rows"
        )


def _cells(stage: Stage, found: Parts, room: float | None, *, process: bool) -> dict[str, str]:
    plain, checkpointed = (
        replace(stage, layout=replace(stage.layout, checkpointing=on)).memory().activations for on in (False, True)
    )
    peak = found.process if process else found.peak
    cells = {
        "weights": found.policy.weights,
        "gradients": found.policy.gradients,
        "optimizer": found.policy.optimizer,
        "value model and its optimizer": found.value.weights + found.value.optimizer if found.value else 0.0,
        "reference": found.reference,
        "sampler's own weights": found.copy,
        "activations": plain,
        "activations with checkpointing": checkpointed,
        "log-probabilities": found.log_probabilities,
        "sampler's KV cache": found.sampling,
        "peak": peak,
    }
    shown = {name: size(value) for name, value in cells.items()}
    if room:
        shown["fits"] = "yes" if peak <= room else "no"
        shown["largest micro_tokens"] = f"{stage.largest(room):,}"
        shown["completions sampled side by side"] = f"{stage.side_by_side(room):,}"
    return shown


def size(value: float) -> str:
    """Three figures and a decimal unit: 1.02 GB, 796 kB; nothing for nothing.

    >>> size(1.024e9), size(799_232), size(0)
    ('1.02 GB', '799 kB', '')
    """
    for unit, scale in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if value >= scale:
            return f"{value / scale:.3g} {unit}"
    return f"{value:.0f} B" if value else ""


def _time(
    console: Console,
    work: list[Work],
    rates: Rates | None,
    each: int,
    device: str,
    price: float | None,
    lengths: Lengths,
) -> None:
    longest = "as long as they may be" if lengths.completion is None else f"{lengths.completion:.1f} tokens long"
    table = Table(
        "stage", "steps", "tokens out", "tokens trained", "PFLOP", "hours", "device-hours", "cost",
        title=f"Work, with completions {longest}", title_justify="left",
    )  # fmt: skip
    hours = held = 0.0  # one stage after the other; devices' hours
    for stage in work:
        took = stage.seconds(rates) / 3600 if rates else 0.0
        hours, held = hours + took, held + took * stage.ranks * each
        flops = (stage.sampling + stage.training) / 1e15
        table.add_row(
            stage.stage,
            f"{stage.steps:,}",
            f"{stage.out:,.0f}",
            f"{stage.read:,.0f}",
            f"{flops:,.4g}",
            *(_costs(took, took * stage.ranks * each, price) if rates else ("", "", "")),
        )
    table.add_row("together", "", "", "", "", *(_costs(hours, held, price) if rates else ("", "", "")))
    console.print(table)
    if rates:
        most = max((stage.ranks for stage in work), default=1) * each
        cost = f"{price:g} an hour" if price is not None else "price unknown: set R1_PRICES"
        console.print(
            f"Rate: {rates.source}. At most {most} x {device}, {cost} each. Curation, verdicts and loading are not in it."
        )
    else:
        console.print("Time on a CPU: --calibrate measures a step here.")


def _costs(hours: float, device_hours: float, price: float | None) -> list[str]:
    return [f"{hours:,.4g}", f"{device_hours:,.4g}", f"{device_hours * price:,.4g}" if price is not None else ""]
