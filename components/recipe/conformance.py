"""A recipe's settings beside the paper's (`paper.toml`), line by line; the reason for each deviation is the recipe's own, in
`deviations`."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from r1flow.components.recipe.grpo import GrpoConfig
from r1flow.components.recipe.recipe import Recipe
from r1flow.components.recipe.stages import RejectConfig

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

    >>> reason({"grpo": "small", "grpo.clip_low": "stable"}, "grpo.clip_low"), reason({"grpo": "small"}, "grpo.steps")
    ('stable', 'small')
    """
    parts = key.split(".")
    names = (".".join(parts[:end]) for end in range(len(parts), 0, -1))
    return next((deviations[name] for name in names if name in deviations), "")


def _ours(recipe: Recipe, key: str) -> Iterator[Any]:
    """The recipe's value, none where it has no such section, several for suites."""
    section, _, rest = key.partition(".")
    if section == "suites":
        yield from (getattr(suite, rest) for suite in recipe.suites.values())
        return
    within = getattr(recipe, section)
    if within is None or (recipe.flow != "r1" and not _runs(recipe, section)):
        return
    if isinstance(within, GrpoConfig) and rest in DERIVED:
        yield DERIVED[rest](within)
    elif isinstance(within, RejectConfig) and rest == "share":
        yield within.general_share or round(within.general / (within.general + within.select.examples), 3)
    else:
        for name in rest.split("."):
            within = getattr(within, name)
        yield within


def _runs(recipe: Recipe, section: str) -> bool:
    """Whether a flow other than the whole recipe's reads the section."""
    return section in ("base", "prompt") or (recipe.flow == "r1_zero" and section == "r1_zero")


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
