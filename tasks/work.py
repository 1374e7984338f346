"""What a stage computes, as plain data: the part of it that decides the result, and the part that does not."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from r1flow.components.recipe.kinds import Kind
from r1flow.components.store.fingerprint import fingerprint
from r1flow.components.store.manifest import ArtifactRef


@dataclass(frozen=True)
class Work:
    """A program to run.

    ``kind``, ``config``, ``settings``, ``inputs`` and ``seed`` decide the result and are the fingerprint; all else is for
    the program's place, or for people.
    """

    name: str
    kind: Kind
    config: Mapping[str, Any]
    """The stage's own settings, names in them replaced by roles."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What the kind reads of the machine and of its model: ``run``, ``prompt``, ``language``."""
    inputs: Mapping[str, ArtifactRef] = field(default_factory=dict)
    """By role."""
    seed: int = 0
    """0 for a kind that reads none."""
    place: Mapping[str, Any] = field(default_factory=dict)
    """Settings that the program gets beside its config, and that decide no result."""
    total_steps: int | None = None
    parts: Mapping[str, str] = field(default_factory=dict)
    """Of an input so named only this file or folder is fetched and verified."""
    notes: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    """Facts about the inputs for people who look at the MLflow run or at the registered model."""

    def manifest_config(self) -> dict[str, Any]:
        """What the artifact's manifest says of its settings."""
        return {"config": dict(self.config), **self.settings}

    def fingerprint(self) -> str:
        """The address of the result, whatever its name and wherever it is computed."""
        return fingerprint(
            kind=self.kind.artifact,
            version=self.kind.version,
            config=self.manifest_config(),
            inputs={role: ref.fingerprint for role, ref in self.inputs.items()},
            seed=self.seed,
        )
