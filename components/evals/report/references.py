"""Published figures of other models, with their sources, to stand beside a run's on a suite of the same name."""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "references.toml"


@dataclass(frozen=True)
class Published:
    """What a model's authors say of it on a suite, in percent; ``cons_at_64`` where they say it."""

    model: str
    pass_at_1: float
    cons_at_64: float | None
    source: str


def published(suite: str) -> list[Published]:
    """The models with a figure on ``suite`` (a name as `r1 suites` lists it), best first; none for any other suite.

    >>> published("aime24")[0].model, published("sums")
    ('DeepSeek-R1', [])
    """
    found = [
        Published(
            model["name"],
            model["pass_at_1"][suite],
            model.get("cons_at_64", {}).get(suite),
            _read()["sources"][model["source"]],
        )
        for model in _read()["models"]
        if suite in model["pass_at_1"]
    ]
    return sorted(found, key=lambda one: -one.pass_at_1)


@cache
def _read() -> dict[str, Any]:
    return tomllib.loads(FILE.read_text(encoding="utf-8"))
