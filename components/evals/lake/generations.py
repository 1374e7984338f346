"""What manifests say, in today's words: the one place that knows how artifacts from before recipes were graphs say it."""

from collections.abc import Mapping
from typing import Any

from r1flow.components.recipe.models import PromptConfig
from r1flow.components.store.manifest import ArtifactRef, Manifest

ROLES: Mapping[str, Mapping[str, str]] = {
    "grpo": {"policy": "model", "dataset": "data", "difficulty": "difficulty.rates"},
    "difficulty": {"policy": "model", "dataset": "data"},
    "selection": {"policy": "from", "dataset": "problems"},
    "sft": {"dataset": "data"},
    "evaluation": {"dataset": "suites"},
}
"""By kind: former names of inputs, and their roles today."""
SECTIONS = ("grpo", "sft", "reject", "select")
"""Tables that a stage's settings once lay in."""


def inputs_of(manifest: Manifest) -> dict[str, ArtifactRef]:
    """What an artifact was made from, by role."""
    former = ROLES.get(manifest.kind, {})
    return {former.get(role, role): ref for role, ref in manifest.inputs.items()}


def data_of(manifest: Manifest) -> list[ArtifactRef]:
    """What a stage was trained on, in order: one set, or several."""
    return [ref for role, ref in inputs_of(manifest).items() if is_data(role)]


def is_data(role: str) -> bool:
    """Whether a role is that of data to train on: ``data``, or ``data.0`` and so on."""
    return role.partition(".")[0] == "data"


def settings_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """A stage's own settings without the table they once lay in.

    >>> settings_of({"reject": {"general": 0, "select": {"examples": 256}}})
    {'general': 0, 'examples': 256}
    """
    found: dict[str, Any] = {}
    for name, value in config.items():
        found |= settings_of(value) if name in SECTIONS and isinstance(value, Mapping) else {name: value}
    return found


def prompt_of(*manifests: Manifest | None) -> PromptConfig:
    """How the first of these that says so is asked: by its settings, else by its provenance (a start model); else the default."""
    for manifest in manifests:
        if manifest is not None and (said := manifest.config.get("prompt") or manifest.provenance.get("prompt")):
            return PromptConfig.model_validate(said)
    return PromptConfig()


def holds_model(manifest: Manifest) -> bool:
    """Whether an artifact, of whatever kind, has a model in it."""
    return any(entry.path.startswith("model/") for entry in manifest.files)


def suite_file(kind: str, suite: str) -> str:
    """Where an artifact of a kind has the problems of a suite: once datasets had them, now they are artifacts themselves."""
    return f"eval/{suite}.jsonl" if kind == "dataset" else f"{suite}.jsonl"


def suite_of(kind: str, path: str) -> str | None:
    """The suite whose problems are in a file; None for any other file."""
    name = path.removesuffix(".jsonl").removeprefix("eval/" if kind == "dataset" else "")
    held = kind in ("dataset", "suites") and name != "quarantine" and suite_file(kind, name) == path
    return name if held and "/" not in name else None
