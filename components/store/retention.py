"""What may be deleted: artifacts that nothing refers to any more, and checkpoints of work that is done or given up."""

import time
from collections.abc import Iterable, Mapping

from r1flow.components.store.artifact import all_artifacts
from r1flow.components.store.manifest import ArtifactRef, Manifest, folder_of, manifest_key
from r1flow.components.store.objects import ObjectStore
from r1flow.components.store.runs import summaries

DAY_S = 86400.0


def unreferenced(inputs: Mapping[str, Iterable[str]], roots: Iterable[str]) -> set[str]:
    """Of the artifacts in ``inputs`` (fingerprint to the fingerprints it was made from) those that no root leads to.

    Pure. A root and everything that it was made from, however far back, stays.
    """
    kept: set[str] = set()
    left = list(roots)
    while left:
        name = left.pop()
        if name not in kept:
            kept.add(name)
            left += inputs.get(name, ())
    return set(inputs) - kept


def delete_unreferenced(
    store: ObjectStore, promoted: Iterable[ArtifactRef], older_than_days: float
) -> list[ArtifactRef]:
    """Delete artifacts older than that, unless a promoted model, a younger artifact or a younger run leads to them.

    ``promoted`` holds every champion that ever was, with its evaluation: a rollback needs them. The manifest goes first:
    whoever looks in the middle sees no artifact, and never half of one. Not to be called while a run is under way, which
    may have looked an artifact up that it is about to read.
    """
    limit = time.time() - older_than_days * DAY_S
    published = all_artifacts(store)
    inputs = {ref.fingerprint: [source.fingerprint for source in made.inputs.values()] for ref, made in published}
    young = [ref.fingerprint for ref, made in published if _made_at(made) >= limit]
    used = [
        str(stage["ref"]["fingerprint"])
        for run in summaries(store)
        if float(run["ended"]) >= limit
        for stage in run["stages"]
    ]
    gone = unreferenced(inputs, [*young, *used, *(ref.fingerprint for ref in promoted)])
    deleted = [ref for ref, _ in published if ref.fingerprint in gone]
    for ref in deleted:
        store.delete(manifest_key(ref.kind, ref.fingerprint))
        for key in store.list(folder_of(ref.kind, ref.fingerprint)):
            store.delete(key)
    return deleted


def delete_finished_checkpoints(store: ObjectStore) -> int:
    """Delete checkpoints whose stage has published its artifact (its process died before it could); how many objects.

    Others stay: they are what an interrupted run goes on from.
    """
    published = {folder_of(ref.kind, ref.fingerprint).removeprefix("artifacts/") for ref, _ in all_artifacts(store)}
    keys = [key for key in store.list("checkpoints") if "/".join(key.split("/")[1:3]) in published]
    for key in sorted(keys, key=lambda key: not key.endswith("/COMPLETE.json")):  # the marker first: no half checkpoint
        store.delete(key)
    return len(keys)


def _made_at(manifest: Manifest) -> float:
    """When the stage that made it began; now, where that was not written down."""
    return float(manifest.provenance.get("started", time.time()))
