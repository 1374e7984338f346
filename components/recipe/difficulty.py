"""Settings about how hard problems are."""

from typing import Literal

from pydantic import model_validator

from r1flow.components.recipe.references import Rates
from r1flow.components.recipe.section import Count, Section, Share


class DifficultyConfig(Section):
    """Which problems RL draws from and in which order, by how often a policy solved them."""

    rates: Rates = ""
    """A stage of kind `rate`, or the address of a ledger (`r1 ledger`). Empty = the model that the stage starts from answers
    every problem beforehand."""
    policy: str = ""
    """Of a ledger: count this policy alone, by its stage or its artifact. Empty = all models."""
    samples: Count = 8
    """Completions per problem that are drawn; of a ledger the least number that rates a problem."""
    keep: tuple[Share, Share] = (0.2, 0.8)
    """Lowest and highest pass rate. [0.0, 1.0] keeps all that are rated."""
    order: Literal["shuffled", "easy_to_hard"] = "shuffled"
    """`easy_to_hard`: once from the problems solved most often to those solved least; a long run begins anew."""

    @model_validator(mode="after")
    def _makes_sense(self) -> "DifficultyConfig":
        low, high = self.keep
        if low > high:
            raise ValueError(f"keep [{low}, {high}]: the lowest pass rate is above the highest")
        if self.policy and not self.rates:
            raise ValueError("policy chooses among the models of a ledger: give rates too, or leave policy out")
        if (low, high) == (0, 1) and self.order == "shuffled":
            raise ValueError("keep [0, 1] in shuffled order is what RL does without difficulty: leave it out")
        return self
