"""The way from one evaluated problem back to its sources, for the report: over the artifacts that the report was made from."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from r1flow.components.core.errors import DataError
from r1flow.components.evals.lake.lineage import Link, trace
from r1flow.components.evals.lake.made import Made
from r1flow.components.evals.report.names import Names


@dataclass(frozen=True)
class Way:
    """A problem, the model whose answers are followed, and the links in order."""

    problem: str
    model: str
    links: tuple[Link, ...]


class InputsShelf:
    """The report's inputs by fingerprint. ``made`` says of each what its manifest says (``made_of``, as plain data)."""

    def __init__(self, inputs: Mapping[str, Path], made: Mapping[str, Mapping[str, Any]]) -> None:
        self._made = {name: Made(**{**facts, "files": tuple(facts["files"])}) for name, facts in made.items()}
        self._places = {facts.fingerprint: inputs[name] for name, facts in self._made.items() if name in inputs}
        self._by_fingerprint = {facts.fingerprint: facts for facts in self._made.values()}

    def made(self, fingerprint: str) -> Made:
        if fingerprint not in self._places:
            raise DataError(f"{fingerprint[:12]} is none of the report's artifacts")
        return self._by_fingerprint[fingerprint]

    def file(self, fingerprint: str, path: str) -> Path:
        self.made(fingerprint)
        return self._places[fingerprint] / path


def way(
    inputs: Mapping[str, Path], made: Mapping[str, Mapping[str, Any]], model: str, problem: str, names: Names
) -> Way | None:
    """The way of ``model``'s answers to ``problem``; None where the run's artifacts do not say all of it."""
    shelf = InputsShelf(inputs, made)
    evaluation = made.get(f"evaluate/{model}")
    if evaluation is None:
        return None
    try:
        links = trace(shelf, evaluation["fingerprint"], problem)
    except DataError:  # a run of some stages only: its page leaves the section out
        return None
    return Way(problem, names.title(model), tuple(links))
