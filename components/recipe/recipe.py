"""The recipe: all settings of a run, one frozen model. It is the flow's parameter, so Prefect's UI renders it as a form."""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, model_validator

from r1flow.components.core.errors import ConfigError
from r1flow.components.core.languages import language_code
from r1flow.components.recipe.data import DataConfig as DataConfig
from r1flow.components.recipe.data import Name
from r1flow.components.recipe.engine import EngineConfig
from r1flow.components.recipe.merging import merge
from r1flow.components.recipe.section import Count, ModelName, Positive, Section, Weight
from r1flow.components.recipe.stages import (
    ColdStartConfig,
    GateConfig,
    GrpoConfig,
    LedgerConfig,
    RejectConfig,
    SftConfig,
    SuiteConfig,
)

PRESETS = Path(__file__).parent / "presets"


def preset_names() -> list[str]:
    """The presets there are."""
    return sorted(path.stem for path in PRESETS.glob("*.toml"))


def preset_path(name: str) -> Path:
    return PRESETS / f"{name}.toml"


class ModelShape(Section):
    """What a decoder's size follows from; lets `r1 plan` count parameters without the weights."""

    family: Literal["qwen2", "qwen3"]
    vocab_size: Count
    hidden_size: Count
    intermediate_size: Count
    num_layers: Count
    num_heads: Count
    num_kv_heads: Count
    head_dim: Count
    tied_embeddings: bool


class ModelConfig(Section):
    """A start model."""

    source: str
    """`builtin:NAME` (shipped with r1flow), a model directory, or a hub id."""
    revision: str | None = None
    """Commit of a hub id."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    shape: ModelShape | None = None


class PromptConfig(Section):
    """How a problem becomes a prompt, and what a well-formed completion looks like."""

    template: str = "r1_zero"
    """A file of components/data/templates, or `tokenizer` for the model's own chat template."""
    format: Literal["think", "think_answer", "think_answer_strict"] = "think_answer"


class LanguageConfig(Section):
    """The language thoughts should be in: a natural language, or one of two alphabets."""

    target: str = "en"
    """A language tag such as `en`, `zh` or `pt-BR`, or the characters of the target alphabet when `other` is given."""
    other: str | None = None

    @model_validator(mode="after")
    def _known(self) -> "LanguageConfig":
        if self.other is None:
            try:
                language_code(self.target)
            except ConfigError as error:
                raise ValueError(str(error)) from error
        return self


class BaseTrainingConfig(Section):
    """Pre-training of the tiny world's base models."""

    size: Literal["base", "student"] = "base"
    steps: Count
    rows_per_step: Count = 160
    learning_rate: Positive = 3e-3
    warmup_steps: Annotated[int, Field(ge=0)] = 50
    weight_decay: Weight = 0.01
    micro_tokens: Count = 3072
    checkpoint_every: Count = 500


class BudgetConfig(Section):
    """What the stages of a recipe may cost together, reused ones included at what they cost when they were computed."""

    money: Positive | None = None
    """In the currency of `R1_PRICES`."""
    device_hours: Positive | None = None
    """Hours times devices; on a CPU times `threads`."""


class RunConfig(Section):
    """How the work is laid out on this machine. `threads` is in every fingerprint: it changes the order of additions."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: Count = 1
    lanes: Count = 1
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


class Recipe(Section):
    """Everything that decides what a run computes.

    ``preset`` names the preset that fills whatever is not given: ``{"preset": "tiny", "seed": 1}`` is a whole recipe.
    """

    model_config = ConfigDict(json_schema_extra={"required": ["preset"]})
    preset: str
    flow: Literal["r1", "r1_zero", "curate", "tiny_base", "ledger"] = "r1"
    description: str = ""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    registered_name: ModelName = "r1"
    """Name in the model registry."""
    run: RunConfig = RunConfig()
    base: ModelConfig | None = None
    student: ModelConfig | None = None
    prompt: PromptConfig = PromptConfig()
    language: LanguageConfig = LanguageConfig()
    reflection_words: tuple[str, ...] = ()
    """Empty = the paper's list."""
    data: DataConfig | None = None
    suites: dict[Name, SuiteConfig] = Field(default_factory=dict)
    pretrain: BaseTrainingConfig | None = None
    pretrain_student: BaseTrainingConfig | None = None
    r1_zero: GrpoConfig | None = None
    cold_start: ColdStartConfig | None = None
    grpo: GrpoConfig | None = None
    reject: RejectConfig | None = None
    sft2: SftConfig | None = None
    grpo2: GrpoConfig | None = None
    distill: SftConfig | None = None
    student_rl: GrpoConfig | None = None
    gate: GateConfig | None = None
    ledger: LedgerConfig = LedgerConfig()
    deviations: dict[str, str] = Field(default_factory=dict)
    """Why settings are not the paper's (`r1 plan --paper`): reasons by setting (`"grpo.kl_weight"`) or section (`grpo`)."""

    @model_validator(mode="before")
    @classmethod
    def _fill_from_preset(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("preset") in preset_names():
            return merge(tomllib.loads(preset_path(data["preset"]).read_text()), data)
        return data

    @model_validator(mode="after")
    def _has_what_its_flow_needs(self) -> "Recipe":
        missing = [name for name in NEEDS[self.flow] if getattr(self, name) in (None, {})]
        if missing:
            raise ValueError(f"flow '{self.flow}' needs {', '.join(missing)}")
        if self.distill and not self.student:
            raise ValueError("distill needs a student")
        if self.student_rl and not self.student:
            raise ValueError("student_rl needs a student")
        rl = (self.r1_zero, self.grpo, self.grpo2, self.student_rl)
        alike = self.run.sampler == "transformers" and self.run.engine.dtype == "float32"
        if alike and any(stage and stage.correction != "none" and not stage.staleness for stage in rl):
            raise ValueError(
                "a correction needs another sampler than 'transformers', which computes as the trainer does, or bfloat16"
            )
        if self.gate and self.gate.suite not in self.suites:
            raise ValueError(f"gate.suite '{self.gate.suite}' is not one of suites: {', '.join(self.suites)}")
        return self


NEEDS = {
    "r1": ("base", "data", "suites", "r1_zero", "cold_start", "grpo", "reject", "sft2", "grpo2", "gate"),
    "r1_zero": ("base", "data", "suites", "r1_zero", "gate"),
    "curate": ("data",),
    "ledger": (),
    "tiny_base": ("pretrain", "pretrain_student", "suites"),
}
