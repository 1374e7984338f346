"""Rejection sampling: completions that are good enough to be taught."""

from prefect import flow

from r1flow.flows.nodes import node
from r1flow.flows.parameters import Preset, Settings, Whole
from r1flow.tasks.session import StageOutcome


@flow(name="select", flow_run_name="{stage}")
def select(
    stage: str, preset: Preset | None = None, set: Settings | None = None, recipe: Whole | None = None
) -> StageOutcome:
    """Select for the stage ``stage`` of a recipe, with what it needs."""
    return node(stage, preset, set, recipe)
