"""Which rewards teach, and how they add up."""

import re
from typing import Annotated, Any

from pydantic import ConfigDict, Field, model_validator

from r1flow.components.recipe.section import Count, Section, Weight

_CUSTOM = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


class RewardWeights(Section):
    """Weights of the summed rewards. The paper adds accuracy, format and language consistency with equal weight.

    A reward of your own is named by module and function: ``{"mypkg.mymodule:my_reward": 0.5}``.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Weight] = Field(init=False)

    accuracy: Weight = 1.0
    format: Weight = 1.0
    language: Weight = 0.0
    tags: Weight = 0.0
    """A quarter for each of the four tags: partial credit while the format is rare."""
    overlong: Weight = 0.0
    """DAPO's soft punishment of the last stretch before `max_tokens`, 0 to -1."""
    cosine_length: Weight = 0.0
    """Short correct answers earn more, short wrong ones less."""
    repetition: Weight = 0.0
    """0 to -1 by the share of repeated n-grams."""
    group_length: Weight = 0.0
    """Kimi's length reward within a group, 0.5 to -0.5."""

    @model_validator(mode="before")
    @classmethod
    def _known_or_custom(cls, data: Any) -> Any:
        if isinstance(data, dict):
            for name in data:
                if name not in cls.model_fields and not _CUSTOM.fullmatch(str(name)):
                    known = ", ".join(cls.model_fields)
                    raise ValueError(f"no reward is called '{name}': {known}, or your own as 'module:function'")
        return data

    @model_validator(mode="after")
    def _accuracy_teaches(self) -> "RewardWeights":
        if self.accuracy == 0:
            raise ValueError("accuracy must have a weight: format and language alone teach empty answers")
        return self

    @property
    def custom(self) -> tuple[str, ...]:
        """The rewards that are not r1flow's own, as ``module:function``."""
        return tuple(sorted(self.__pydantic_extra__ or {}))

    def weights(self) -> dict[str, float]:
        """Every reward's weight by name."""
        return {name: float(weight) for name, weight in self.model_dump().items()}


class ShapingConfig(Section):
    """The numbers behind the shaping rewards."""

    overlong_share: Annotated[float, Field(gt=0, le=1)] = 0.2
    """Share of `max_tokens`, at its end, in which `overlong` falls from 0 to -1. DAPO: 4096 of 20480."""
    ngram: Count = 3
    """Units in a row that `repetition` compares."""
