"""Where and within which bounds a recipe runs, what is evaluated, and what a model must show to be promoted."""

from typing import Annotated, Literal

from pydantic import Field

from r1flow.components.recipe.engine import EngineConfig
from r1flow.components.recipe.references import Model
from r1flow.components.recipe.section import Count, Positive, Section, Share


class BudgetConfig(Section):
    """What the stages of a recipe may cost together, reused ones included at what they cost when they were computed."""

    money: Positive | None = None
    """In the currency of `R1_PRICES`."""
    device_hours: Positive | None = None
    """Hours times devices; on a CPU times `threads`."""


class RunConfig(Section):
    """How the work is laid out on this machine. On a CPU `threads` decides results: it changes the order of additions."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: Count = 1
    parallel_stages: Count = 1
    """Stages that may run at the same time."""
    stage_hours: Positive | None = None
    """A stage that runs longer is stopped with all its processes and fails; the next run goes on from its checkpoint."""
    scorers: Count = 2
    """Worker processes per stage that judge answers which take time; they start when the first such answer comes."""
    sampler: Literal["auto", "transformers", "vllm"] = "auto"
    """`auto` is resolved by device and size before the fingerprint is taken (components/sampling/auto.py)."""
    engine: EngineConfig = EngineConfig()
    budget: BudgetConfig = BudgetConfig()
    """Spent, the run stops after the current step with exit code 3; raised, it goes on. In no fingerprint."""


class EvaluateConfig(Section):
    """Which models are measured on which suites."""

    models: tuple[Model, ...] | None = None
    """Left out: every start model and every stage that gives a model. Empty: none."""
    suites: tuple[str, ...] | None = None
    """Left out: all. What no model is measured on is still held against the training data."""


class PromoteConfig(Section):
    """What a model must show before it becomes the champion of a registered name."""

    model: Model
    suite: str
    """The suite that decides."""
    mode: Literal["auto", "human", "off"] = "auto"
    """Who has the last word on a model that reaches the thresholds: nobody, a person in Prefect's UI, or it stays unpromoted."""
    wait_hours: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 24.0
    """How long a person is waited for."""
    min_pass_at_1: Share = 0.0
    min_format: Share = 0.0
    max_drop: Share = 0.02
    """How far its pass@1 may lie below the reigning champion's on the same problems."""


class LedgerConfig(Section):
    """The lists that the ledger makes."""

    min_samples: Count = 16
    """Fewer scored samples say nothing about a problem."""
    agreement: Annotated[float, Field(gt=0.5, le=1, allow_inf_nan=False)] = 0.9
    """Share of samples with one answer, not the gold one, from which on a label looks wrong."""
