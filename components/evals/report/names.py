"""How tables and pages call a run's stages, and in which order they come: read from its notes or its summary. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any


@dataclass(frozen=True)
class Names:
    """``titles``: by node, in the recipe's order. ``main_line``: the models from a start model to the promoted one.
    ``starts``: of every model the start model that it comes from, in the recipe's order."""

    titles: Mapping[str, str] = field(default_factory=dict)
    main_line: tuple[str, ...] = ()
    starts: Mapping[str, str] = field(default_factory=dict)

    def title(self, name: str) -> str:
        """A stage as people call it.

        >>> Names({"r1": "R1"}).title("r1"), Names().title("mine")
        ('R1', 'mine')
        """
        return self.titles.get(name, name)

    def short(self, name: str) -> str:
        """The title without what stands in brackets, unless another model would then be called the same.

        >>> titles = {"a": "Dev1 (cold start)", "b": "Student (taught)", "c": "Student (RL)"}
        >>> names = Names(titles, starts=dict.fromkeys(titles, "x"))
        >>> names.short("a"), names.short("b")
        ('Dev1', 'Student (taught)')
        """
        brief = _brief(self.title(name))
        alike = [model for model in self.starts if model != name and _brief(self.title(model)) == brief]
        return self.title(name) if alike else brief

    def in_order(self, names: Iterable[str]) -> list[str]:
        """Models with what comes from the same start model, those of the main line's first; then whatever else, by the recipe.

        An evaluation stands where its model does, a name that nobody knows at the end.
        """
        last = len(self._places)
        return sorted(names, key=lambda name: (self._places.get(name.removeprefix("evaluate/"), last), name))

    def line(self, models: Iterable[str]) -> list[str]:
        """Those of ``models`` that are in the main line, in order."""
        given = set(models)
        return [model for model in self.main_line if model in given]

    def families(self) -> dict[str, list[str]]:
        """By start model what comes from it, itself included; the main line's start model first."""
        found: dict[str, list[str]] = {self.starts.get(model, model): [] for model in self.main_line[:1]}
        for model, start in self.starts.items():
            found.setdefault(start, []).append(model)
        return found

    @cached_property
    def _places(self) -> dict[str, int]:
        models = [model for family in self.families().values() for model in family]
        return {name: place for place, name in enumerate(dict.fromkeys([*models, *self.titles]))}


def names_of(run: Mapping[str, Any]) -> Names:
    """From the notes of a report or the summary of a run; old summaries know neither titles nor lines."""
    stages = run.get("stages") or ()
    titles = run.get("titles") or {stage["name"]: stage.get("title") or stage["name"] for stage in stages}
    return Names(titles, tuple(run.get("main_line") or ()), run.get("starts") or {})


def _brief(title: str) -> str:
    return title.partition(" (")[0]
