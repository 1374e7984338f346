"""Supervised fine-tuning; distillation is this too."""

from prefect import flow

from r1flow.flows.nodes import node
from r1flow.flows.parameters import Preset, Settings, Whole
from r1flow.tasks.session import StageOutcome


@flow(name="sft", flow_run_name="{stage}")
def sft(
    stage: str, preset: Preset | None = None, set: Settings | None = None, recipe: Whole | None = None
) -> StageOutcome:
    """Fine-tune the stage ``stage`` of a recipe, with what it needs."""
    return node(stage, preset, set, recipe)
