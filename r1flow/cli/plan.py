"""``r1 plan``: what a recipe will do."""

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

from r1flow.cli.forecast import show_forecast
from r1flow.components.costs.decoder import Decoder
from r1flow.components.costs.preset import models_of
from r1flow.components.programs.admission import admit_context, admit_reward_names
from r1flow.components.recipe.conformance import DEVIATES, conformance
from r1flow.components.recipe.kinds import IMPLIED
from r1flow.components.recipe.presets import load_recipe, split_settings
from r1flow.components.recipe.recipe import Recipe
from r1flow.components.recipe.section import Section
from r1flow.components.recipe.settings import Settings
from r1flow.components.recipe.stages import RlStage, SelectStage


def show_plan(
    preset: str,
    overrides: list[str],
    *,
    on: str | None = None,
    memory_gb: float | None = None,
    measure: bool = False,
) -> None:
    """Models with parameter counts, stages with settings, suites with their protocol; memory, time and cost."""
    chosen, recipe_overrides = split_settings(overrides, Settings.model_fields)
    recipe = load_recipe(preset, recipe_overrides)
    admit_reward_names(recipe)
    settings = Settings.model_validate(chosen)
    models, unknown = _counted(recipe, settings)
    positions = {name: model.positions for name, model in models.items() if model.positions is not None}
    admit_context(recipe, recipe.graph, positions)
    console = Console()
    console.print(f"[bold]{recipe.name}[/]  {recipe.description}\nseed {recipe.seed}")
    _models(console, recipe, models, unknown)
    table = Table("stage", "settings", title="Stages", title_justify="left")
    table.columns[0].no_wrap = True
    for name, part in _parts(recipe).items():
        bound = positions.get(recipe.start_of(name)) if name in recipe.stages else _least(recipe, positions)
        table.add_row(name, _settings(part, bound))
    console.print(table)
    show_forecast(console, recipe, settings, models, on=on, memory_gb=memory_gb, measure=measure)


def show_conformance(preset: str, overrides: list[str]) -> None:
    """The recipe's settings beside the paper's, with a reason for each deviation."""
    _, recipe_overrides = split_settings(overrides, Settings.model_fields)
    recipe = load_recipe(preset, recipe_overrides)
    table = Table(
        "setting", "what it is", "paper", "here", "", title=f"{recipe.name} beside the paper", title_justify="left"
    )
    lines = conformance(recipe)
    for line in lines:
        why = line.reason or "no reason is given" if line.verdict == DEVIATES else line.verdict
        table.add_row(line.key, line.says, line.paper, line.ours, why)
    console = Console()
    console.print(table)
    for source in dict.fromkeys(line.source for line in lines):
        keys = [line.key for line in lines if line.source == source]
        console.print(f"{source}: {'all others' if len(keys) > len(lines) / 2 else ', '.join(keys)}")


def _counted(recipe: Recipe, settings: Settings) -> tuple[Mapping[str, Decoder], Mapping[str, str]]:
    """Start models by what they are made of, and why the others are unknown. What presets give needs no child."""
    models = models_of(recipe)
    if len(models) == len(recipe.models):
        return models, {}
    from r1flow.tasks.counting import count_models

    counted = count_models(recipe, settings.cache)
    return counted.models, counted.unknown


def _models(console: Console, recipe: Recipe, models: Mapping[str, Decoder], unknown: Mapping[str, str]) -> None:
    table = Table("model", "source", "parameters", "weights", "positions", title="Models", title_justify="left")
    for name, model in recipe.models.items():
        known = models.get(name)
        size = known.parameters * (4 if model.dtype == "float32" else 2) if known else None
        idle = f", {known.active:,} for a token" if known and known.idle else ""
        table.add_row(
            name,
            f"{model.source}{'@' + model.revision if model.revision else ''}",
            f"{known.parameters:,}{idle}" if known else "unknown",
            f"{size / 1e9:.3g} GB {model.dtype}" if size else model.dtype,
            _positions(known),
        )
    for name, stage in recipe.stages.items():
        if isinstance(stage, RlStage) and stage.ppo:
            known = models.get(recipe.start_of(name))
            size_text = f"{known.value * 4 / 1e9:.3g} GB float32" if known else "float32"
            number = f"{known.value:,}" if known else "as the policy"
            table.add_row(f"value model of {name}", "the policy", number, size_text, _positions(known))
    if table.row_count:
        console.print(table)
    for name, why in unknown.items():
        console.print(f"{name}: {why}", markup=False)
    for name, found in models.items():
        for note in found.notes:
            console.print(f"{name}: {note}", markup=False)


def _positions(model: Decoder | None) -> str:
    return "unknown" if model is None else f"{model.positions:,}" if model.positions is not None else "no bound known"


def _least(recipe: Recipe, positions: Mapping[str, int]) -> int | None:
    """The fewest positions of the models that are evaluated."""
    asked = (node.subject for node in recipe.graph.nodes.values() if node.kind is IMPLIED["evaluate"])
    return min((positions[start] for start in map(recipe.start_of, asked) if start in positions), default=None)


def _parts(recipe: Recipe) -> dict[str, Section]:
    """Datasets, stages in the order in which they run, suites and promotions."""
    stages = {name: recipe.stages[name] for name in recipe.graph.nodes if name in recipe.stages}
    suites = {f"evaluate: {name}": suite for name, suite in recipe.suites.items()}
    return {
        **recipe.datasets,
        **stages,
        **suites,
        **{f"promote: {name}": gate for name, gate in recipe.promote.items()},
    }


def _settings(section: Section, positions: int | None) -> str:
    """``positions``: in which prompt and completion have to fit, said beside ``max_tokens``."""
    told = section.model_dump(exclude_none=True, exclude={"title"})
    samples = not isinstance(section, SelectStage)  # whose max_tokens chooses among completions that there are
    return ", ".join(
        f"{name} {_value(value)}"
        + (f" (of {positions:,} positions)" if name == "max_tokens" and positions and samples else "")
        for name, value in told.items()
    )


def _value(value: object) -> str:
    if isinstance(value, dict):
        return "(" + ", ".join(f"{name} {_value(inner)}" for name, inner in value.items()) + ")"
    return str(value)
