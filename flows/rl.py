"""Reinforcement learning with verifiable rewards."""

from prefect import flow

from r1flow.flows.nodes import node
from r1flow.flows.parameters import Preset, Settings, Whole
from r1flow.tasks.session import StageOutcome


@flow(name="rl", flow_run_name="{stage}")
def rl(
    stage: str, preset: Preset | None = None, set: Settings | None = None, recipe: Whole | None = None
) -> StageOutcome:
    """Train the stage ``stage`` of a recipe by RL, with what it needs."""
    return node(stage, preset, set, recipe)
