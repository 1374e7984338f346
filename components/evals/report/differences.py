"""Where two runs part: the first stage that was not the same, and what made it another."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from r1flow.components.core.params import flatten
from r1flow.components.evals.lake.generations import inputs_of, settings_of
from r1flow.components.store.manifest import ArtifactRef, Manifest

Stages = Mapping[str, tuple[ArtifactRef, Manifest]]
"""A run's stages by name, in the order in which they ended."""


@dataclass(frozen=True)
class Parting:
    """A stage that differs between two runs: what differs of itself, and which of its inputs do."""

    stage: str
    own: list[str]
    inputs: list[str]

    @property
    def is_root(self) -> bool:
        """Whether it differs by itself, and not only because of what it was made from."""
        return bool(self.own)


def partings(one: Stages, other: Stages) -> list[Parting]:
    """The stages of both runs that are different artifacts, in the first run's order."""
    found = []
    for name in one:
        if name in other and one[name][0].fingerprint != other[name][0].fingerprint:
            mine, theirs = one[name][1], other[name][1]
            inputs = [
                source
                for source in sorted({*inputs_of(mine), *inputs_of(theirs)})
                if _fingerprint(mine, source) != _fingerprint(theirs, source)
            ]
            found.append(Parting(name, list(_own(mine, theirs)), inputs))
    return found


def only_in(one: Stages, other: Stages) -> list[str]:
    """Stages that the other run does not have."""
    return [name for name in one if name not in other]


def _own(mine: Manifest, theirs: Manifest) -> Iterator[str]:
    """Settings, seed and code version in which two artifacts of one stage differ, as ``name: mine, theirs``."""
    pairs: list[tuple[str, Any, Any]] = [("seed", mine.seed, theirs.seed), ("version", mine.version, theirs.version)]
    own, his = _settings(mine), _settings(theirs)
    pairs += [(name, own.get(name, "not there"), his.get(name, "not there")) for name in {**own, **his}]
    for name, one, other in pairs:
        if one != other:
            yield f"{name}: {one}, {other}"
    ours, others = inputs_of(mine), inputs_of(theirs)
    if set(ours) != set(others):
        yield f"inputs: {', '.join(sorted(ours))}; {', '.join(sorted(others))}"


def _settings(manifest: Manifest) -> dict[str, object]:
    """The stage's own settings by their names, then the recipe's that every program reads."""
    shared = {name: value for name, value in manifest.config.items() if name != "config"}
    return {**flatten(settings_of(manifest.config.get("config", {}))), **flatten(shared)}


def _fingerprint(manifest: Manifest, source: str) -> str:
    ref = inputs_of(manifest).get(source)
    return ref.fingerprint if ref else ""
