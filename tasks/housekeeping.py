"""Tidying after runs that were killed."""

import shutil
import time
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from components.tracking.runs import Tracking


@task(cache_policy=NO_CACHE)
def close_dead_runs(tracking: Tracking) -> int:
    """Send MLflow what dead processes left; runs that say RUNNING though their process is gone become KILLED; how many."""
    return tracking.recover()


@task(cache_policy=NO_CACHE)
def remove_stale_work(work: Path, older_than_days: float) -> int:
    """Work directories that no run has touched for so long; their checkpoints stay on the store. How many."""
    limit = time.time() - older_than_days * 86400
    stale = [path for path in work.glob("*") if path.is_dir() and _last_touched(path) < limit] if work.is_dir() else []
    for path in stale:
        shutil.rmtree(path)
    return len(stale)


def _last_touched(directory: Path) -> float:
    return max(path.stat().st_mtime for path in (directory, *directory.iterdir()))
