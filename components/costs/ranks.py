"""How many ranks a stage's program holds: one function for what is planned, slotted and billed. Pure."""

from r1flow.components.recipe.engine import EngineConfig
from r1flow.components.recipe.kinds import Kind


def ranks_of(engine: EngineConfig, kind: Kind) -> int:
    """RL trains on all ranks of the engine, the gradient's proof on those of one node, everything else on one."""
    return {"all": engine.ranks * engine.nodes, "machine": engine.ranks, "one": 1}[kind.ranks]
