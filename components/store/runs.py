"""What runs that ended well left behind: ``runs/<id>/summary.json``."""

import json
from collections.abc import Mapping
from typing import Any

from r1flow.components.core.errors import IntegrityError, ObjectMissingError
from r1flow.components.store.manifest import ArtifactRef
from r1flow.components.store.objects import ObjectStore

FOLDER, NAME = "runs", "summary.json"


def write_summary(store: ObjectStore, run: str, summary: dict[str, Any]) -> None:
    """Once: a run's second summary is not written."""
    store.create(f"{FOLDER}/{run}/{NAME}", json.dumps(summary, indent=1).encode())


def summaries(store: ObjectStore) -> list[dict[str, Any]]:
    """Every run's summary, oldest first. IntegrityError for one that is no JSON object with its run's id."""
    found = []
    for key in store.list(FOLDER):
        if key.endswith(f"/{NAME}"):
            try:
                found.append(_read(store, key))
            except ObjectMissingError:  # deleted since it was listed
                continue
    return sorted(found, key=lambda summary: float(summary.get("ended", 0)))


def stage_of_run(store: ObjectStore, text: str) -> ArtifactRef | None:
    """The artifact that a run's stage of that name gave: ``dev2`` in the last run that has one, ``RUN:dev2`` in a run whose id
    begins so. The name is in no artifact, for two stages may share one."""
    run, _, name = text.rpartition(":")
    for summary in reversed(summaries(store)):
        if summary["run"].startswith(run):
            for stage in summary.get("stages", ()):
                if stage["name"] == name:
                    return ArtifactRef.model_validate(stage["ref"])
    return None


def recipe_name(said: Mapping[str, Any]) -> str:
    """The recipe that a summary or an artifact's provenance names; before 0.2 the preset, and ``recipe`` was all of it."""
    return str(said.get("preset") or said.get("recipe") or "")


def _read(store: ObjectStore, key: str) -> dict[str, Any]:
    try:
        summary: dict[str, Any] = json.loads(store.read_bytes(key))
        if summary["run"] != key.split("/")[1]:
            raise ValueError(f"it says that it is of run {summary['run']!r}")
    except (ValueError, KeyError, TypeError) as error:
        raise IntegrityError(f"{store.uri}/{key} is no run's summary ({error}): restore or delete it") from error
    return summary
