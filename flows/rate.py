"""How hard problems are for a model."""

from prefect import flow

from r1flow.flows.nodes import node
from r1flow.flows.parameters import Preset, Settings, Whole
from r1flow.tasks.session import StageOutcome


@flow(name="rate", flow_run_name="{stage}")
def rate(
    stage: str, preset: Preset | None = None, set: Settings | None = None, recipe: Whole | None = None
) -> StageOutcome:
    """Rate the problems of the stage ``stage`` of a recipe."""
    return node(stage, preset, set, recipe)
