"""The settings of stages, a class for every kind: frozen, checked when they are read, part of the stage's fingerprint."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from r1flow.components.core.schedule import Schedule
from r1flow.components.recipe.grpo import GrpoConfig
from r1flow.components.recipe.models import LanguageConfig, PromptConfig
from r1flow.components.recipe.references import SET, Demonstrations, Gives, Model, Problems, Reference
from r1flow.components.recipe.section import Count, Positive, Section, Share, Weight


class Stage(Section):
    """What every stage has. A kind of one's own is a subclass with a method ``run(self, spec) -> metrics``.

    ``version``: raised when the result changes for the same settings and inputs. ``gives``: what others may name the stage
    for. ``reads``: what of the machine and of its model it reads, of ``device``, ``threads``, ``sampler``, ``prompt`` and
    ``language``; nothing else of them is in its fingerprint. What is named only for people is not, either.
    """

    version: ClassVar[str] = "1"
    gives: ClassVar[tuple[Gives, ...]] = ()
    reads: ClassVar[tuple[str, ...]] = ()

    kind: str
    title: str = ""
    """How tables call it."""
    prompt: PromptConfig | None = None
    """Its own in place of its model's."""
    language: LanguageConfig | None = None
    """Its own in place of its model's."""

    @property
    def total_steps(self) -> int | None:
        """How many steps it will report, where that is known beforehand."""
        return None


class PretrainStage(Stage):
    """Pre-training of a tiny model from nothing, on the tiny world's corpus."""

    kind: Literal["pretrain"] = "pretrain"
    size: Literal["base", "student"] = "base"
    steps: Count
    rows_per_step: Count = 160
    learning_rate: Positive = 3e-3
    warmup_steps: Annotated[int, Field(ge=0)] = 50
    weight_decay: Weight = 0.01
    micro_tokens: Count = 3072
    checkpoint_every: Count = 500

    @property
    def total_steps(self) -> int:
        return self.steps


class Amount(Section):
    """How much of one set goes into a mixture: a number of rows, or a share of the whole."""

    rows: Count | None = None
    share: Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)] | None = None

    @model_validator(mode="after")
    def _one_amount(self) -> "Amount":
        if (self.rows is None) == (self.share is None):
            raise ValueError("give rows, a number, or share, a part of the whole: one of the two")
        return self


Mixture = dict[Demonstrations, Amount]


def _form(value: Any) -> str | None:
    """Whether data is a name, several, or several with amounts."""
    if isinstance(value, str):
        return "<name>"
    if isinstance(value, list | tuple):
        return "<names>"
    return "<amounts>" if isinstance(value, Mapping) else None


class SftStage(Stage):
    """Supervised fine-tuning on completions."""

    kind: Literal["sft"] = "sft"
    model: Model
    data: Annotated[
        Annotated[Demonstrations, Tag("<name>")]
        | Annotated[tuple[Demonstrations, ...], Tag("<names>")]
        | Annotated[Mixture, Tag("<amounts>")],
        Discriminator(
            _form,
            custom_error_type="data",
            custom_error_message="give a name, a list of names, or a table of names with amounts",
        ),
    ]
    """One set; several, all rows in that order; or several with amounts, shuffled."""
    epochs: Count = 2
    batch_size: Count = 64
    learning_rate: Positive
    warmup_steps: Annotated[int, Field(ge=0)] = 0
    schedule: Schedule = "cosine"
    max_grad_norm: Positive = 1.0
    weight_decay: Weight = 0.0
    micro_tokens: Count = 16384
    checkpoint_every: Count = 50

    @model_validator(mode="after")
    def _has_data(self) -> "SftStage":
        if not self.data:
            raise ValueError("data names no set")
        if isinstance(self.data, dict) and sum(amount.share or 0 for amount in self.data.values()) > 1:
            raise ValueError("the shares of data are more than the whole")
        return self


class RlStage(Stage, GrpoConfig):
    """Reinforcement learning with verifiable rewards: GRPO, its relatives, or PPO."""

    kind: Literal["rl"] = "rl"
    model: Model
    data: Problems

    @property
    def total_steps(self) -> int:
        return self.steps


class SelectStage(Stage):
    """Rejection sampling: the correct, well-formed, readable completions of an RL stage, or of demonstrations with answers."""

    kind: Literal["select"] = "select"
    source: Annotated[str, Reference(("rollouts", "demonstrations")), SET] = Field(alias="from")
    """An RL stage, whose rollouts are looked through; or demonstrations, whose completions are verified first."""
    mix: Mixture = Field(default_factory=dict)
    """Demonstrations to add to what was selected; a share is one of the whole. The paper: 200 of 800 thousand, 0.25."""
    examples: Count
    """At most so many selected in all."""
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
    def _lengths(self) -> "SelectStage":
        if self.max_tokens is not None and self.max_tokens < self.min_tokens:
            raise ValueError(
                f"max_tokens ({self.max_tokens}) is below min_tokens ({self.min_tokens}): nothing would be selected"
            )
        return self


class RateStage(Stage):
    """How often a model solves each problem of a dataset."""

    kind: Literal["rate"] = "rate"
    model: Model
    data: Problems
    samples: Count = 8
    """Completions per problem."""
    skills: tuple[str, ...] = ()
    """Problems of these alone; empty = all."""
    max_tokens: Count
    temperature: Positive = 1.0
