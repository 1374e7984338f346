"""``r1 promote``, ``r1 rollback``: a person decides which model is champion; the log says who and why."""

import getpass
import socket
from typing import Any

from r1flow.components.core.errors import DataError, ModelError
from r1flow.components.evals.lake.generations import holds_model
from r1flow.components.recipe.kinds import MODELS
from r1flow.components.recipe.settings import Settings
from r1flow.components.store.artifact import ArtifactRef, all_artifacts, read_manifest, resolve
from r1flow.components.store.objects import ObjectStore, open_store
from r1flow.components.tracking.promotions import Promotion, append_promotion, before_last, only_model, promotions
from r1flow.components.tracking.registry import Registry

METRICS = ("pass_at_1", "pass_at_1_low", "pass_at_1_high", "format")


def promote(text: str, model: str | None, reason: str) -> None:
    """Make an artifact champion past the gate. Its latest evaluation is the evidence; DataError for one never measured."""
    settings = Settings()
    store = open_store(settings.store_uri)
    ref = resolve(store, text)
    manifest = read_manifest(store, ref)
    if not holds_model(manifest):
        raise ModelError(f"{text}: a {ref.kind} artifact holds no model; name a {', '.join(MODELS)} artifact (r1 ls)")
    name = model or manifest.provenance.get("model") or only_model(store)
    evaluation, metrics = _evaluation(store, ref)
    log = promotions(store, name)
    entry = append_promotion(store, name, ref, evaluation, metrics, after=log, action="human", reason=reason, by=_who())
    _tell(entry, Registry(settings.tracking_uri).try_project(store, name), known=entry in log)


def rollback(model: str | None, reason: str) -> None:
    """Give the title back to the champion before. DataError where there is none."""
    settings = Settings()
    store = open_store(settings.store_uri)
    name = model or only_model(store)
    log = promotions(store, name)
    target = before_last(log)
    entry = append_promotion(
        store,
        name,
        target.ref,
        target.evaluation,
        target.evidence,
        after=log,
        action="rollback",
        reason=reason,
        by=_who(),
    )
    _tell(entry, Registry(settings.tracking_uri).try_project(store, name), known=False)


def _evaluation(store: ObjectStore, ref: ArtifactRef) -> tuple[ArtifactRef, dict[str, Any]]:
    """The newest evaluation of this very artifact and the metrics that a gate would look at."""
    measured = [
        (candidate, manifest)
        for candidate, manifest in all_artifacts(store)
        if candidate.kind == "evaluation"
        and any(source.fingerprint == ref.fingerprint for source in manifest.inputs.values())
    ]
    if not measured:
        raise DataError(f"{ref.uri} was never evaluated, so it cannot be promoted: run a recipe that evaluates it")
    evaluation, manifest = max(measured, key=lambda pair: float(pair[1].provenance.get("started", 0)))
    return evaluation, {n: v for n, v in manifest.metrics.items() if n.rpartition("/")[2] in METRICS}


def _who() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        user = "somebody"
    return f"{user}@{socket.gethostname()}"


def _tell(entry: Promotion, version: int | None, known: bool) -> None:
    if known:
        print(f"{entry.ref.uri} is champion of {entry.model} already (version {entry.version})")
        return
    before = f", before it {entry.previous.uri}" if entry.previous else ""
    print(f"{entry.model} version {entry.version} is champion by entry {entry.number}: {entry.ref.uri}{before}")
    if version is None:
        print("MLflow could not be reached: its alias follows with the next run or with `r1 reindex`")
