"""What an artifact was made from, as far as its lineage needs it. Light: the flow process imports it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from r1flow.components.evals.lake.generations import inputs_of
from r1flow.components.store.manifest import Manifest


@dataclass(frozen=True)
class Made:
    """What lineage needs to know of an artifact; ``inputs`` are fingerprints by role, ``config`` the stage's own settings.

    ``addresses``: where its files lay when it was made, by setting.
    """

    kind: str
    fingerprint: str
    stage: str
    commit: str | None
    seed: int
    inputs: Mapping[str, str]
    config: Mapping[str, Any]
    files: tuple[str, ...]
    addresses: Mapping[str, str]

    @property
    def short(self) -> str:
        return f"{self.kind}/{self.fingerprint[:12]}"


def made_of(manifest: Manifest, stage: str) -> Made:
    """An artifact as lineage sees it."""
    return Made(
        kind=manifest.kind,
        fingerprint=manifest.fingerprint,
        stage=stage,
        commit=manifest.provenance.get("commit"),
        seed=manifest.seed,
        inputs={role: ref.fingerprint for role, ref in inputs_of(manifest).items()},
        config=manifest.config.get("config", {}),
        files=tuple(entry.path for entry in manifest.files),
        addresses=manifest.provenance.get("addresses", {}),
    )
