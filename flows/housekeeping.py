"""What a killed run leaves behind, tidied."""

from prefect import flow
from prefect.artifacts import create_markdown_artifact

from components.config.settings import Settings
from components.tracking.runs import Tracking
from tasks.housekeeping import close_dead_runs, remove_stale_work


@flow(name="housekeeping")
def housekeeping(older_than_days: float = 7.0) -> dict[str, int]:
    """Close tracking runs whose process is dead; remove work directories untouched for ``older_than_days``."""
    settings = Settings()
    settings.prepare()
    done = {
        "runs closed": close_dead_runs(Tracking(settings.tracking_uri, settings.experiment, settings.outboxes)),
        "work directories removed": remove_stale_work(settings.home / "work", older_than_days),
    }
    create_markdown_artifact(key="housekeeping", markdown="\n".join(f"* {what}: {n}" for what, n in done.items()))
    return done
