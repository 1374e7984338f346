"""``r1 plan``: what a recipe will do."""

from rich.console import Console
from rich.table import Table

from r1flow.cli.forecast import show_forecast
from r1flow.components.costs.parameters import count_parameters, count_value_parameters
from r1flow.components.programs.admission import admit_reward_names
from r1flow.components.recipe.conformance import DEVIATES, conformance
from r1flow.components.recipe.presets import load_recipe, split_settings
from r1flow.components.recipe.recipe import Recipe
from r1flow.components.recipe.section import Section
from r1flow.components.recipe.settings import Settings
from r1flow.components.recipe.stages import RlStage


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
    console = Console()
    console.print(f"[bold]{recipe.name}[/]  {recipe.description}\nseed {recipe.seed}")
    _models(console, recipe)
    table = Table("stage", "settings", title="Stages", title_justify="left")
    table.columns[0].no_wrap = True
    for name, part in _parts(recipe).items():
        table.add_row(name, _settings(part))
    console.print(table)
    show_forecast(console, recipe, settings, on=on, memory_gb=memory_gb, measure=measure)


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


def _models(console: Console, recipe: Recipe) -> None:
    table = Table("model", "source", "parameters", "weights", title="Models", title_justify="left")
    for name, model in recipe.models.items():
        number = count_parameters(model.shape) if model.shape else None
        size = number * (4 if model.dtype == "float32" else 2) if number else None
        table.add_row(
            name,
            f"{model.source}{'@' + model.revision if model.revision else ''}",
            f"{number:,}" if number else "as the directory says",
            f"{size / 1e9:.3g} GB {model.dtype}" if size else model.dtype,
        )
    for name, stage in recipe.stages.items():
        if isinstance(stage, RlStage) and stage.ppo:
            start = recipe.models.get(recipe.start_of(name))
            number = count_value_parameters(start.shape) if start and start.shape else None
            size_text = f"{number * 4 / 1e9:.3g} GB float32" if number else "float32"
            table.add_row(
                f"value model of {name}", "the policy", f"{number:,}" if number else "as the policy", size_text
            )
    if table.row_count:
        console.print(table)


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


def _settings(section: Section) -> str:
    return ", ".join(
        f"{name} {_value(value)}" for name, value in section.model_dump(exclude_none=True, exclude={"title"}).items()
    )


def _value(value: object) -> str:
    if isinstance(value, dict):
        return "(" + ", ".join(f"{name} {_value(inner)}" for name, inner in value.items()) + ")"
    return str(value)
