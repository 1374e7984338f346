"""What killed runs leave behind, tidied."""

from prefect import flow
from prefect.artifacts import create_markdown_artifact

from r1flow.components.recipe.settings import Settings
from r1flow.components.store.objects import open_store
from r1flow.components.tracking.runs import Tracking
from r1flow.tasks.housekeeping import close_dead_runs, remove_stale_leases, remove_stale_work, tidy_store


@flow(name="housekeeping")
def housekeeping(work_days: float = 7.0, upload_hours: float = 24.0, keep_days: float | None = None) -> dict[str, int]:
    """Make dead runs say so in Prefect and MLflow; remove their leases, uploads that never ended, checkpoints of finished
    stages, work directories untouched for ``work_days`` and, where ``keep_days`` is given, artifacts that are older and that
    no promotion, no younger run and no younger artifact refers to."""
    settings = Settings()
    settings.prepare()
    store = open_store(settings.store_uri)
    tracking = Tracking(settings.tracking_uri, settings.experiment, settings.outboxes)
    done = close_dead_runs(store, tracking)
    done["stage leases removed"] = remove_stale_leases(store)
    done |= tidy_store(store, uploads_older_than_s=upload_hours * 3600, keep_days=keep_days)
    done["work directories removed"] = remove_stale_work(settings.home / "work", work_days)
    create_markdown_artifact(key="housekeeping", markdown="\n".join(f"* {what}: {n}" for what, n in done.items()))
    return done
