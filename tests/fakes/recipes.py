"""A small recipe of which a test changes what it is about."""

from typing import Any

from r1flow.components.recipe.presets import make_recipe
from r1flow.components.recipe.recipe import Recipe

TINY = {"template": "tiny", "format": "think"}
ALPHABETS = {"target": "0123456789", "other": "abcdefghij"}
SUMS = {"generator": "tiny/sum", "size": 40}
RL = {"kind": "rl", "model": "base", "data": "problems", "steps": 2, "learning_rate": 1e-4, "max_tokens": 60}
SFT = {"kind": "sft", "model": "base", "data": "traces", "learning_rate": 1e-4}
SELECT = {"kind": "select", "from": "zero", "examples": 5}
RATE = {"kind": "rate", "model": "base", "data": "problems", "max_tokens": 9}


def small(stages: dict[str, Any] | None = None, **tables: Any) -> Recipe:
    """A recipe with a model, problems, demonstrations and a suite; stages by name."""
    whole: dict[str, Any] = {
        "name": "small",
        "models": {"base": {"source": "builtin:tiny-base", "prompt": TINY, "language": ALPHABETS}},
        "datasets": {
            "problems": {"sources": {"sum": SUMS}},
            "traces": {"kind": "demonstrations", "sources": {"string": {"generator": "tiny/string", "size": 8}}},
        },
        "suites": {"sums": {"known": "tiny-sums"}},
        "stages": stages or {},
    }
    return make_recipe(whole | tables)
