"""The settings of single stages: frozen, checked when they are read, and part of the stage's fingerprint."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from r1flow.components.core.schedule import Schedule
from r1flow.components.recipe.data import SourceConfig
from r1flow.components.recipe.difficulty import LedgerConfig as LedgerConfig
from r1flow.components.recipe.grpo import GrpoConfig as GrpoConfig
from r1flow.components.recipe.merging import merge
from r1flow.components.recipe.section import Count, Positive, Section, Share, Weight
from r1flow.components.recipe.suites import known_suite


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
    """Of more than that those that differ most are taken."""
    min_language: Share = 0.95
    """Least share of the target language in the thought."""
    min_tokens: Annotated[int, Field(ge=0)] = 0
    max_tokens: Count | None = None
    """Shortest and longest completion, its end token counted; empty = as long as it was sampled."""
    max_repetition: Share = 0.2
    """Largest share of token n-grams that repeat an earlier one: 1 - distinct / all."""
    repetition_ngram: Count = 20
    last_steps: Annotated[int, Field(ge=0)] = 0
    """Look only at the last so many RL steps; 0 = all."""

    @model_validator(mode="after")
    def _lengths(self) -> "SelectConfig":
        if self.max_tokens is not None and self.max_tokens < self.min_tokens:
            raise ValueError(
                f"max_tokens ({self.max_tokens}) is below min_tokens ({self.min_tokens}): nothing would be selected"
            )
        return self


class ColdStartConfig(Section):
    """A few readable chains of R1-Zero, then SFT of the base on them."""

    select: SelectConfig
    sft: SftConfig


class RejectConfig(Section):
    """Rejection sampling: query the lake, then add general data."""

    select: SelectConfig
    general: Annotated[int, Field(ge=0)] = 0
    """Rows of general data (the second skill's worked examples) to add."""
    general_share: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)] = 0.0
    """Part of the teaching set that is to be general data, in place of a number of rows. The paper: 200 of 800 thousand, 0.25."""

    @model_validator(mode="after")
    def _one_amount(self) -> "RejectConfig":
        if self.general and self.general_share:
            raise ValueError("general is a number of rows and general_share a part of the set: give one of them")
        return self


class SuiteConfig(Section):
    """One evaluation suite and its protocol."""

    known: str | None = Field(default=None, exclude=True)
    """A suite that is shipped (`r1 suites`): its file says whatever is not given here. Read, it is forgotten."""
    skill: str = "main"
    source: SourceConfig | None = None
    """Its problems, where neither `data.against` nor the tiny world has them."""
    problems: Count = 256
    """The first so many of its source; training problems are held against all of them."""
    prompt: str = "{prompt}"
    """How a problem is asked, before the recipe's template: `{prompt}` is its text, `{tests}` the tests of its program."""
    samples: Count = 16
    """k: pass@1 is the mean over k, cons@k the majority of k."""
    temperature: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.6
    top_p: Annotated[float, Field(gt=0, le=1)] = 0.95
    max_tokens: Count = 32768
    version: str = "1"
    """Raised whenever a change could move the suite's figures."""

    @model_validator(mode="before")
    @classmethod
    def _fill_from_file(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("known"), str):
            return merge(known_suite(data["known"]), {name: value for name, value in data.items() if name != "known"})
        return data

    @model_validator(mode="after")
    def _asks(self) -> "SuiteConfig":
        if "{prompt}" not in self.prompt:
            raise ValueError("prompt must hold {prompt}, where the problem's text goes")
        return self


class GateConfig(Section):
    """What a model must show before it becomes champion."""

    mode: Literal["auto", "human", "off"] = "auto"
    """Who has the last word on a model that reaches the thresholds: nobody, a person in Prefect's UI, or it stays unpromoted."""
    wait_hours: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 24.0
    """How long a person is waited for."""
    suite: str
    """The suite that decides."""
    min_pass_at_1: Share = 0.0
    min_format: Share = 0.0
    max_drop: Share = 0.02
    """How far its pass@1 may lie below the reigning champion's on the same problems."""
