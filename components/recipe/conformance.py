"""A recipe's settings beside the paper's (`paper.toml`), line by line; the reason for each deviation is the recipe's own, in
`deviations`."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from r1flow.components.recipe.grpo import GrpoConfig
from r1flow.components.recipe.recipe import Recipe
from r1flow.components.recipe.stages import SelectStage

PAPER = Path(__file__).parent / "paper.toml"
AS, DEVIATES, ABSENT = "as the paper", "deviates", "not in this recipe"


@dataclass(frozen=True)
class Line:
    """One setting: ``paper`` and ``ours`` in words, ``verdict``, and why where it deviates (nothing where no reason is given)."""

    stage: str
    key: str
    says: str
    paper: str
    ours: str
    verdict: str
    reason: str
    source: str


def conformance(recipe: Recipe) -> list[Line]:
    """Every line of the paper's settings against ``recipe``."""
    paper = tomllib.loads(PAPER.read_text(encoding="utf-8"))
    source = paper.pop("source")
    return [
        _line(recipe, stage, key, entry, source) for stage, entries in paper.items() for key, entry in entries.items()
    ]


def _line(recipe: Recipe, stage: str, key: str, entry: dict[str, Any], source: str) -> Line:
    values = list(dict.fromkeys(_ours(recipe, key)))
    agrees = all(_agrees(value, entry["paper"]) for value in values)
    verdict = ABSENT if not values else AS if agrees else DEVIATES
    return Line(
        stage=stage,
        key=key,
        says=entry["says"],
        paper=_shown(entry["paper"]),
        ours=", ".join(map(_shown, values)),
        verdict=verdict,
        reason=reason(recipe.deviations, key) if verdict == DEVIATES else "",
        source=entry.get("source", source),
    )


def reason(deviations: dict[str, str], key: str) -> str:
    """The reason of a setting, else of the section around it, else nothing.

    >>> reason({"x": "small", "x.clip_low": "stable"}, "x.clip_low"), reason({"x": "small"}, "x.steps")
    ('stable', 'small')
    """
    parts = key.split(".")
    names = (".".join(parts[:end]) for end in range(len(parts), 0, -1))
    return next((deviations[name] for name in names if name in deviations), "")


def _ours(recipe: Recipe, key: str) -> Iterator[Any]:
    """The recipe's value, none where it has no such part, several for suites."""
    name, _, rest = key.partition(".")
    if name == "suites":
        yield from (getattr(suite, rest) for suite in recipe.suites.values())
        return
    within: Any = recipe.models.get(name) or recipe.stages.get(name)
    if within is None or (rest.startswith("prompt") and name not in recipe.models):
        return
    if isinstance(within, GrpoConfig) and rest in DERIVED:
        yield DERIVED[rest](within)
    elif isinstance(within, SelectStage) and rest == "share":
        yield _share(within)
    else:
        for part in rest.split("."):
            if not hasattr(within, part):  # of that name there is something else here
                return
            within = getattr(within, part)
        yield within


def _share(stage: SelectStage) -> float:
    """What part of the set is mixed in."""
    shares = sum(amount.share or 0 for amount in stage.mix.values())
    rows = sum(amount.rows or 0 for amount in stage.mix.values())
    return shares or round(rows / (rows + stage.examples), 3)


DERIVED = {
    "rollout_batch": lambda c: c.prompts_per_step * c.samples_per_prompt,
    "update_batch": lambda c: c.prompts_per_step * c.samples_per_prompt / c.mini_batches,
    "updates": lambda c: c.steps * c.mini_batches,
    "reference_updates": lambda c: c.reference_every * c.mini_batches,
    "judges": lambda c: "rules",
}


def _agrees(value: Any, paper: Any) -> bool:
    if isinstance(paper, list):
        return bool(paper[0] <= value <= paper[1])
    return bool(value == paper)


def _shown(value: Any) -> str:
    """A value for people.

    >>> _shown(3e-06), _shown(32768), _shown([2, 3]), _shown(512.0), _shown("grpo")
    ('3e-06', '32,768', '2 to 3', '512', 'grpo')
    """
    if isinstance(value, list):
        return " to ".join(_shown(end) for end in value)
    if isinstance(value, float):
        return f"{value:,.0f}" if value == int(value) and value else f"{value:g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
