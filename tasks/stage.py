"""A stage of a run: what is published is reused, what is not is computed once, and everybody who watches is told."""

import logging
import time

from prefect import task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE

from r1flow.components.core.errors import LeaseHeldError, LeaseLostError
from r1flow.components.costs.bill import kept_cost
from r1flow.components.processes.workplace import own_directory
from r1flow.components.store.artifact import check, find, read_manifest
from r1flow.components.store.lease import Lease
from r1flow.components.store.manifest import ArtifactRef
from r1flow.tasks.attempt import Attempt, checkpoints_of, key_of
from r1flow.tasks.budget import rate_of
from r1flow.tasks.policy import retry_policy
from r1flow.tasks.session import Session, StageOutcome, current_session
from r1flow.tasks.shown import shown
from r1flow.tasks.tracked import log_reused
from r1flow.tasks.work import Work

WAIT_S = 10.0
"""How long one look at a lease that another run holds may take, before the next look at whether this run was cancelled."""

logger = logging.getLogger(__name__)


def compute(work: Work) -> StageOutcome:
    """The artifact of ``work``, computed once, ever: a Prefect task named for its kind, tried again where a store is away."""
    session = current_session()

    @task(name=work.kind.name, task_run_name=work.name, cache_policy=NO_CACHE, persist_result=False, **retry_policy())
    def stage() -> StageOutcome:
        return _once(work, session)

    outcome: StageOutcome = stage()
    return outcome


def _once(work: Work, session: Session) -> StageOutcome:
    """By the run's own memory, by the store, or by computing."""
    address = work.fingerprint()
    started = time.monotonic()
    with session.turn(address):
        if (known := session.known(address)) is not None:  # another stage of this run is the same work
            if work.name not in session.done:
                log_reused(session, work, known.ref, known.metrics)
            return _ended(known.model_copy(update={"name": work.name, "reused": True, "seconds": 0.0}), session)
        session.listener.started(work.name, work.total_steps)
        ref = find(session.store, work.kind.artifact, address)
        reused = ref is not None
        if ref is None:
            ref, reused = _compute_once(work, address, session)
        manifest = check(session.store, ref) if reused else read_manifest(session.store, ref)
        cost = kept_cost(manifest.provenance)
        if reused:
            log_reused(session, work, ref, manifest.metrics)
            checkpoints_of(session, work, address).clear()  # of a run that died between publication and tidying up
        if cost:
            session.budget.took(address, cost.device_seconds, rate_of(cost.device, session.settings))
        outcome = StageOutcome(
            name=work.name,
            ref=ref,
            reused=reused,
            seconds=time.monotonic() - started,
            metrics=manifest.metrics,
            cost=cost,
        )
        _ended(outcome, session)
    session.listener.finished(outcome)
    if not reused:  # a reused stage has its table from the run that computed it
        with shown(f"the table of {work.name}"):
            create_table_artifact(
                key=key_of(work.name),
                table=[{"metric": name, "value": value} for name, value in outcome.metrics.items()],
                description=f"{work.name}: `{ref.uri}` ({outcome.seconds:.1f} s)",
            )
    return outcome


def _ended(outcome: StageOutcome, session: Session) -> StageOutcome:
    session.done[outcome.name] = outcome
    return outcome


def _compute_once(work: Work, address: str, session: Session) -> tuple[ArtifactRef, bool]:
    """Compute under the fingerprint's lease, or wait for whoever holds it; the artifact, and whether it is another's.

    The wait ends with its holder's work or death: a lease that is not renewed expires. A process that was paused past that
    and finds its work taken over changes nothing: it stops its program and waits like anybody else.
    """
    kind, holder = work.kind.artifact, {"stage": work.name, "run": session.run_id}
    told = False
    while True:
        lease = Lease(session.store, f"{kind}-{address[:16]}", holder=holder)
        try:
            lease.acquire(wait_s=WAIT_S)
        except LeaseHeldError as error:
            if session.cancelled.is_set():
                raise
            if not told:
                logger.warning("%s is being computed already: %s", work.name, error)
            told = True
            continue
        with lease:
            if (ref := find(session.store, kind, address)) is not None:
                return ref, True
            try:
                with own_directory(session.settings.work(kind, address)) as directory:
                    return Attempt(work, address, session, directory, lease).run(), False
            except LeaseLostError as error:
                logger.warning("%s: %s; nothing of it is kept here", work.name, error)
