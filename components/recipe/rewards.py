"""Which rewards teach, and how they add up."""

import re
from typing import Annotated, Any

from pydantic import ConfigDict, Field, model_validator

from r1flow.components.recipe.section import Count, Section, Weight

_NAME = re.compile(r"[A-Za-z_]\w*|[A-Za-z_][\w.]*:[A-Za-z_]\w*")


class RewardWeights(Section):
    """Weights of the summed rewards. The paper adds accuracy, format and language consistency with equal weight.

    Beside them every reward counts that is named: r1flow's shaping rewards, such as `{overlong = 0.5}`, and your own by
    module and function: `{"mypkg.mymodule:my_reward" = 0.5}`. A weight of 0 measures and logs it without rewarding it.
    """

    # Settings stand below the rewards and know no names of theirs: admission compares them, before anything is computed.
    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Weight] = Field(init=False)

    accuracy: Weight = 1.0
    format: Weight = 1.0
    language: Weight = 0.0

    @model_validator(mode="before")
    @classmethod
    def _are_names(cls, data: Any) -> Any:
        if isinstance(data, dict):
            for name in data:
                if not _NAME.fullmatch(str(name)):
                    raise ValueError(f"'{name}' cannot be the name of a reward; your own is named 'module:function'")
        return data

    @model_validator(mode="after")
    def _accuracy_teaches(self) -> "RewardWeights":
        if self.accuracy == 0:
            raise ValueError("accuracy must have a weight: format and language alone teach empty answers")
        return self

    @property
    def custom(self) -> tuple[str, ...]:
        """The rewards that are not r1flow's own, as ``module:function``."""
        return tuple(sorted(name for name in self.__pydantic_extra__ or {} if ":" in name))

    def weights(self) -> dict[str, float]:
        """Every reward's weight by name."""
        return {name: float(weight) for name, weight in self.model_dump().items()}


class ShapingConfig(Section):
    """The numbers behind the shaping rewards."""

    overlong_share: Annotated[float, Field(gt=0, le=1)] = 0.2
    """Share of `max_tokens`, at its end, in which `overlong` falls from 0 to -1. DAPO: 4096 of 20480."""
    ngram: Count = 3
    """Units in a row that `repetition` compares."""
