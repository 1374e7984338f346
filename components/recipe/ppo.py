"""What PPO has beside GRPO's settings: how the value model learns and what it makes of the rewards."""

from typing import Annotated

from pydantic import Field

from r1flow.components.recipe.section import Positive, Section, Share


class PpoConfig(Section):
    """Proximal policy optimisation with a value model of the policy's shape (arXiv 1707.06347, 1506.02438)."""

    gamma: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = 1.0
    """Discount per token. Below 1 a long thought earns less than a short one."""
    lam: Share = 1.0
    """lambda of the advantages: 1 trusts rewards alone, 0 the value model's next value. The paper: 1.0, and 0.95 is worse."""
    whiten: bool = True
    """Bring the advantages of a step's tokens to mean 0 and deviation 1."""
    value_rate: Positive = 10.0
    """Learning rate of the value model, in multiples of the policy's `learning_rate`."""
    value_clip: Positive = 0.2
    """How far a value may move within one batch of rollouts before its loss stops rewarding that."""
