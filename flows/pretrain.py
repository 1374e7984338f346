"""A tiny model from nothing."""

from prefect import flow

from r1flow.flows.nodes import node
from r1flow.flows.parameters import Preset, Settings, Whole
from r1flow.tasks.session import StageOutcome


@flow(name="pretrain", flow_run_name="{stage}")
def pretrain(
    stage: str, preset: Preset | None = None, set: Settings | None = None, recipe: Whole | None = None
) -> StageOutcome:
    """Pre-train the stage ``stage`` of a recipe; the problems of the suites are kept out of its corpus."""
    return node(stage, preset, set, recipe)
