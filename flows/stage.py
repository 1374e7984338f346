"""A stage of a kind of one's own."""

from prefect import flow

from r1flow.flows.nodes import node
from r1flow.flows.parameters import Preset, Settings, Whole
from r1flow.tasks.session import StageOutcome


@flow(name="stage", flow_run_name="{stage}")
def stage(
    stage: str, preset: Preset | None = None, set: Settings | None = None, recipe: Whole | None = None
) -> StageOutcome:
    """Compute the stage ``stage`` of a recipe, whatever its kind, with what it needs."""
    return node(stage, preset, set, recipe)
