"""A sweep over settings: a run per point below one tracking run, and a comparison of what they made."""

from typing import Annotated, Any

from prefect import flow
from prefect.artifacts import create_table_artifact
from pydantic import Field

from r1flow.components.core.errors import ConfigError, R1Error
from r1flow.components.programs.admission import admit
from r1flow.components.recipe.recipe import Recipe
from r1flow.components.recipe.sweep import label, points
from r1flow.flows.parameters import Preset, Settings, Whole, recipe_from
from r1flow.flows.pipeline import pipeline
from r1flow.tasks.session import one_server, session
from r1flow.tasks.shown import shown
from r1flow.tasks.sweeping import Line, Sweeping, compared

Axes = Annotated[
    dict[str, list[Any]],
    Field(description='Values by dotted name: {"dev2.learning_rate": [1e-6, 3e-6], "seed": [0, 1]}.'),
]


@flow(name="sweep")
def sweep(
    axes: Axes,
    preset: Preset | None = None,
    only: list[str] | None = None,
    set: Settings | None = None,
    recipe: Whole | None = None,
) -> list[Line]:
    """Every combination of ``axes``: what is promoted, or ``only`` some stages, is made and evaluated, and nothing promoted.

    Points share whatever their settings leave equal. A point that fails is a line that says why; the others go on.
    """
    made = [(point, recipe_from(preset, {**(set or {}), **point}, recipe)) for point in points(axes)]
    targets = [_targets(whole, only) for _, whole in made]
    for (_, whole), wanted in zip(made, targets, strict=True):
        admit(whole, whole.graph.only(wanted))
    lines: list[Line] = []
    with one_server(), Sweeping(made[0][1], axes) as tracked:
        for (point, whole), wanted in zip(made, targets, strict=True):
            try:
                with session(
                    whole, tracked.settings, tracked.listener, standing=tracked.standing, sweep=tracked.run
                ) as run:
                    pipeline(preset=preset, only=wanted, set={**(set or {}), **point}, recipe=recipe)
                    lines.append(Line.of(label(point), run, wanted[-1]))
            except R1Error as error:
                lines.append(Line(point=label(point), error=f"{type(error).__name__}: {error}"))
        lines = compared(lines, tracked.settings)
        tracked.tell(lines)
    with shown("the sweep's table"):
        create_table_artifact(
            key="sweep", table=[line.model_dump(mode="json", exclude={"evaluation"}) for line in lines]
        )
    return lines


def _targets(recipe: Recipe, only: list[str] | None) -> list[str]:
    """What a point makes: what is asked for, else what would be promoted, else the last model of the main line."""
    wanted = only or list(recipe.graph.promoted) or recipe.graph.main_line()[-1:]
    if not wanted:
        raise ConfigError("a sweep compares models, and this recipe makes none")
    return list(wanted)
