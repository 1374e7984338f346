"""What was made from an artifact, and which runs made or used it."""

from collections.abc import Iterable, Mapping

from r1flow.components.evals.lake.generations import holds_model
from r1flow.components.recipe.kinds import LAKES
from r1flow.components.store.manifest import ArtifactRef, Manifest
from r1flow.components.store.objects import ObjectStore
from r1flow.components.store.runs import summaries


def descendants(known: Mapping[str, Manifest], fingerprint: str) -> list[str]:
    """Fingerprints of the artifacts that have this one among their inputs, or their inputs' inputs, nearest first."""
    children: dict[str, list[str]] = {}
    for child, manifest in known.items():
        for source in manifest.inputs.values():
            children.setdefault(source.fingerprint, []).append(child)
    found = [fingerprint]
    for parent in found:
        found += [child for child in dict.fromkeys(children.get(parent, ())) if child not in found]
    return found[1:]


def trained_on(known: Mapping[str, Manifest], ref: ArtifactRef) -> list[str]:
    """The models that learned from the completions of ``ref``: itself, where it is an RL stage, and all made from it."""
    own = [ref.fingerprint] if ref.kind in LAKES else []
    return own + [name for name in descendants(known, ref.fingerprint) if holds_model(known[name])]


def runs_of(store: ObjectStore, known: Mapping[str, Manifest], fingerprints: Iterable[str]) -> dict[str, list[str]]:
    """Run to the stages of these artifacts in it: as its summary says, or, for a run that never ended, as they say."""
    wanted = list(fingerprints)
    found: dict[str, list[str]] = {}
    for summary in summaries(store):
        stages = [stage["name"] for stage in summary["stages"] if stage["ref"]["fingerprint"] in wanted]
        if stages:
            found[summary["run"]] = stages
    for name in wanted:
        provenance = known[name].provenance
        if provenance.get("run") and provenance["run"] not in found:
            found[str(provenance["run"])] = [
                str(known[other].provenance.get("stage"))
                for other in wanted
                if known[other].provenance.get("run") == provenance["run"]
            ]
    return found
