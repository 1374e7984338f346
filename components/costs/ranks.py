"""How many ranks a stage's program holds: one function for what is planned, slotted and billed. Pure."""

from r1flow.components.recipe.engine import EngineConfig


def ranks_of(engine: EngineConfig, program: str) -> int:
    """RL trains on all ranks of the engine, the gradient's proof on those of one node, everything else on one."""
    return {"grpo": engine.ranks * engine.nodes, "certify_gradient": engine.ranks}.get(program, 1)
