"""Data to a reasoning model by the DeepSeek-R1 recipe: orchestrated, tracked, content-addressed.

Everything here is imported when it is first used: ``import r1flow`` itself loads neither torch nor Prefect.

* a recipe: :func:`load_recipe`, :func:`run`, :class:`Recipe`, :class:`Stage` (a kind of one's own)
* what is stored: :func:`open_store`, :func:`rollouts`
* a model: :func:`sample`, :func:`evaluate`; an answer: :func:`verify`
* a loop of one's own: :class:`GrpoTrainer`, :class:`Objective`, :class:`Scorer`, :class:`Rules`, :class:`TransformersSampler`,
  :class:`SingleEngine`, :func:`sft_train`; ``examples/grpo_loop.py`` puts them together
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_WHERE = {
    "load_recipe": "notebook",
    "run": "notebook",
    "open_store": "notebook",
    "rollouts": "notebook",
    "sample": "notebook",
    "evaluate": "notebook",
    "verify": "notebook",
    "Recipe": "components.recipe.recipe",
    "Stage": "components.recipe.stages",
    "Spec": "components.programs.spec",
    "Row": "components.core.schema",
    "Verdict": "components.core.verdict",
    "RewardBatch": "components.rewards.base",
    "Rules": "components.rewards.score",
    "Scorer": "components.rewards.score",
    "Sampling": "components.sampling.base",
    "TransformersSampler": "components.sampling.transformers",
    "SingleEngine": "components.training.engines.single",
    "GrpoTrainer": "components.training.rl.trainer",
    "Objective": "components.training.rl.trainer",
    "sft_train": "components.training.sft.trainer:train",
    "encode_example": "components.training.sft.encode:taught",
}
__all__ = ["__version__", *_WHERE]

if TYPE_CHECKING:
    from r1flow.components.core.schema import Row as Row
    from r1flow.components.core.verdict import Verdict as Verdict
    from r1flow.components.programs.spec import Spec as Spec
    from r1flow.components.recipe.recipe import Recipe as Recipe
    from r1flow.components.recipe.stages import Stage as Stage
    from r1flow.components.rewards.base import RewardBatch as RewardBatch
    from r1flow.components.rewards.score import Rules as Rules
    from r1flow.components.rewards.score import Scorer as Scorer
    from r1flow.components.sampling.base import Sampling as Sampling
    from r1flow.components.sampling.transformers import TransformersSampler as TransformersSampler
    from r1flow.components.training.engines.single import SingleEngine as SingleEngine
    from r1flow.components.training.rl.trainer import GrpoTrainer as GrpoTrainer
    from r1flow.components.training.rl.trainer import Objective as Objective
    from r1flow.components.training.sft.encode import taught as encode_example  # noqa: F401
    from r1flow.components.training.sft.trainer import train as sft_train  # noqa: F401
    from r1flow.notebook import evaluate as evaluate
    from r1flow.notebook import load_recipe as load_recipe
    from r1flow.notebook import open_store as open_store
    from r1flow.notebook import rollouts as rollouts
    from r1flow.notebook import run as run
    from r1flow.notebook import sample as sample
    from r1flow.notebook import verify as verify


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'r1flow' has no attribute {name!r}; there are {', '.join(_WHERE)}")
    module, _, attribute = _WHERE[name].partition(":")
    found = getattr(import_module(f"r1flow.{module}"), attribute or name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted([*globals(), *_WHERE])
