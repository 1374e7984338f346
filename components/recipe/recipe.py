"""The recipe: all settings of a run, one frozen model; a graph of named stages."""

from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Union

from pydantic import Discriminator, Field, SerializeAsAny, Tag, ValidationError, WrapValidator, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from r1flow.components.recipe.data import DatasetConfig
from r1flow.components.recipe.graph import Graph, graph_of, inherited
from r1flow.components.recipe.kinds import STAGES, settings_of
from r1flow.components.recipe.models import LanguageConfig, ModelConfig, PromptConfig
from r1flow.components.recipe.references import Name
from r1flow.components.recipe.run import EvaluateConfig, PromoteConfig, RunConfig
from r1flow.components.recipe.section import ModelName, Section
from r1flow.components.recipe.stages import RlStage, Stage
from r1flow.components.recipe.suites import SuiteConfig


def _own_kind(value: Any, handler: Any) -> Stage:
    """A stage of a kind of one's own, by its own class; a kind that cannot be had is an error of the field ``kind``."""
    if isinstance(value, Stage):
        return value
    if not isinstance(value, dict):
        raise ValueError("a stage is a table with its kind and what that needs")
    kind = value.get("kind")
    try:
        found = settings_of("" if kind is None else str(kind))
    except ValueError as error:
        why = PydanticCustomError("kind", "{why}", {"why": str(error)})
        wrong = InitErrorDetails(type=why, loc=("kind",), input=kind)
        raise ValidationError.from_exception_data("Stage", [wrong]) from error
    return found.model_validate(value)


def _tag(value: Any) -> str:
    """Which class a stage is of; "own" for a kind that the table does not have, and for what is no stage."""
    kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
    return f"<{kind}>" if isinstance(kind, str) and kind in STAGES else "<own>"


if TYPE_CHECKING:
    AnyStage = Stage
else:  # one choice for every kind of the table, and one for all others
    _KINDS = tuple(Annotated[kind.settings, Tag(f"<{name}>")] for name, kind in STAGES.items())
    _OWN = Annotated[Stage, WrapValidator(_own_kind), Tag("<own>")]
    AnyStage = Annotated[Union[(*_KINDS, _OWN)], Discriminator(_tag)]


class Recipe(Section):
    """Everything that decides what a run computes.

    Models, datasets and stages share one namespace; a stage's name is the only name it has. Fields that name another part
    are typed, and the graph is read from them (:mod:`r1flow.components.recipe.graph`).
    """

    name: str
    """What runs of it are called."""
    preset: str = ""
    """The preset that fills what is not given."""
    description: str = ""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    run: RunConfig = RunConfig()
    models: dict[Name, ModelConfig] = Field(default_factory=dict)
    datasets: dict[Name, DatasetConfig] = Field(default_factory=dict)
    stages: dict[Name, SerializeAsAny[AnyStage]] = Field(default_factory=dict)
    suites: dict[Name, SuiteConfig] = Field(default_factory=dict)
    evaluate: EvaluateConfig = EvaluateConfig()
    promote: dict[ModelName, PromoteConfig] = Field(default_factory=dict)
    """By registered name."""
    deviations: dict[str, str] = Field(default_factory=dict)
    """Why settings are not the paper's (`r1 plan --paper`): reasons by setting (`"dev2.kl_weight"`) or by stage."""

    @model_validator(mode="after")
    def _is_a_graph(self) -> "Recipe":
        _ = self.graph  # raises ValueError for what is none
        for name, stage in self.stages.items():
            alike = self.run.sampler == "transformers" and self.run.engine.dtype == "float32"
            if isinstance(stage, RlStage) and alike and stage.correction != "none" and not stage.staleness:
                raise ValueError(
                    f"stages.{name}.correction: it needs another sampler than 'transformers', which computes as the trainer "
                    "does, or bfloat16"
                )
        return self

    @cached_property
    def graph(self) -> Graph:
        """The nodes of the recipe, implied ones too, and how they depend on each other."""
        return graph_of(self)

    def prompt_of(self, name: str) -> PromptConfig:
        """How the model ``name`` is asked: the stage's own prompt, else that of the model it starts from."""
        found = inherited(self, name, "prompt")
        return found if isinstance(found, PromptConfig) else PromptConfig()

    def language_of(self, name: str) -> LanguageConfig:
        """The language of the model ``name``, found as its prompt is."""
        found = inherited(self, name, "language")
        return found if isinstance(found, LanguageConfig) else LanguageConfig()

    def start_of(self, name: str) -> str:
        """The start model that ``name`` comes from by training; "" where it was trained from nothing."""
        names = [name, *self.graph.line(name)]
        return next((each for each in names if each in self.models), "")

    def title(self, name: str) -> str:
        """How tables call a part of the recipe, or an implied node."""
        for prefix, words in (("evaluate/", "Evaluation of "), ("certify/", "Certificate of ")):
            if name.startswith(prefix):
                return words + self.title(name.removeprefix(prefix))
        for suffix, words in (("/gradient", "Gradient of "), ("/rate", "Pass rates for ")):
            if name.endswith(suffix):
                return words + self.title(name.removesuffix(suffix))
        part = self.models.get(name) or self.datasets.get(name) or self.stages.get(name)
        return (part.title if part is not None else "") or name
