"""The settings of single stages: frozen, checked when they are read, and part of the stage's fingerprint."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from components.config.rewards import RewardWeights, ShapingConfig
from components.config.section import Count, Positive, Section, Share, Weight

Schedule = Literal["constant", "cosine", "linear"]


class GrpoConfig(Section):
    """Group relative policy optimisation (DeepSeekMath eq. 3, R1 eq. 1 to 3)."""

    steps: Count
    """Rollout batches."""
    prompts_per_step: Count = 32
    samples_per_prompt: Annotated[int, Field(ge=2)] = 16
    """G, the size of a group."""
    mini_batches: Count = 1
    """Optimizer steps per rollout batch; 1 is on-policy. The paper takes 16."""
    learning_rate: Positive
    warmup_steps: Annotated[int, Field(ge=0)] = 0
    schedule: Schedule = "constant"
    max_grad_norm: Positive = 1.0
    clip_low: Positive = 0.2
    clip_high: Positive = 0.2
    kl_weight: Weight = 0.0
    """beta of the k3 term; 0 keeps no reference model in memory. The paper: 0.001."""
    reference_every: Annotated[int, Field(ge=0)] = 0
    """Steps after which the reference becomes the latest policy; 0 = never. The paper: 400."""
    scale_advantages: bool = True
    """Divide by the group's standard deviation."""
    temperature: Positive = 1.0
    max_tokens: Count
    """Longest completion."""
    rewards: RewardWeights = RewardWeights()
    reward_gates: dict[str, str] = Field(default_factory=dict)
    """A reward counts only where another is above 0: `{language = "accuracy"}` pays for language in right answers."""
    shaping: ShapingConfig = ShapingConfig()
    mixture: dict[str, Weight] = Field(default_factory=lambda: {"main": 1.0})
    """Share of each skill among the prompts."""
    min_pass_rate: Share = 0.02
    """Below this pass@1 of the start model RL is refused: there is nothing to reinforce."""
    micro_tokens: Count = 16384
    """Padded tokens per backward pass; memory, not mathematics."""
    checkpoint_every: Count = 20

    @model_validator(mode="after")
    def _makes_sense(self) -> "GrpoConfig":
        if self.mini_batches > self.prompts_per_step * self.samples_per_prompt:
            raise ValueError(f"mini_batches ({self.mini_batches}) is more than the completions of one step")
        if self.reference_every and not self.kl_weight:
            raise ValueError("reference_every refreshes a reference that kl_weight = 0 never uses")
        for name, gate in self.reward_gates.items():
            if unknown := {name, gate} - set(self.rewards.weights()):
                raise ValueError(f"reward_gates names {', '.join(sorted(unknown))}, which is no reward of this stage")
        if sum(self.mixture.values()) <= 0:
            raise ValueError("mixture needs one skill with a weight above 0")
        return self


class SftConfig(Section):
    """Supervised fine-tuning on completions."""

    epochs: Count = 2
    batch_size: Count = 64
    learning_rate: Positive
    warmup_steps: Annotated[int, Field(ge=0)] = 0
    schedule: Schedule = "cosine"
    max_grad_norm: Positive = 1.0
    weight_decay: Weight = 0.0
    micro_tokens: Count = 16384
    checkpoint_every: Count = 50


class SelectConfig(Section):
    """Which completions of the lake are good enough to be taught: correct, well-formed, readable."""

    examples: Count
    """At most so many in all."""
    per_problem: Count = 4
    min_language: Share = 0.95
    """Least share of the target language in the thought."""
    last_steps: Annotated[int, Field(ge=0)] = 0
    """Look only at the last so many RL steps; 0 = all."""


class ColdStartConfig(Section):
    """A few readable chains of R1-Zero, then SFT of the base on them."""

    select: SelectConfig
    sft: SftConfig


class RejectConfig(Section):
    """Rejection sampling: query the lake, then add general data."""

    select: SelectConfig
    general: Annotated[int, Field(ge=0)] = 0
    """Rows of general data (the second skill's worked examples) to add."""


class SuiteConfig(Section):
    """One evaluation suite and its protocol."""

    skill: str = "main"
    problems: Count = 256
    samples: Count = 16
    """k: pass@1 is the mean over k, cons@k the majority of k."""
    temperature: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.6
    top_p: Annotated[float, Field(gt=0, le=1)] = 0.95
    max_tokens: Count = 32768
    version: str = "1"
    """Raised whenever a change could move the suite's figures."""


class GateConfig(Section):
    """What a model must show before it becomes champion."""

    suite: str
    """The suite that decides."""
    min_pass_at_1: Share = 0.0
    min_format: Share = 0.0
    max_drop: Share = 0.02
    """How far its pass@1 may lie below the reigning champion's on the same problems."""
