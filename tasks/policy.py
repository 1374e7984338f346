"""One place for retries (what is worth another try, how often and after how long) and for slots."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prefect.client.schemas.objects import State, TaskRun
from prefect.concurrency.sync import concurrency
from prefect.exceptions import MissingResult
from prefect.tasks import Task

from r1flow.components.core.errors import StoreUnavailable

RETRIES = 2
DELAYS_S = [5, 30]


def worth_a_retry(task: Task[..., Any], task_run: TaskRun, state: State[Any]) -> bool:
    """Only what may be better next time: an unreachable store. Wrong input and failed programs are not."""
    try:
        state.result(raise_on_failure=True)
    except StoreUnavailable:
        return True
    except (Exception, MissingResult):  # whatever else the task raised is final, and reported by the task itself
        return False
    return False


def retry_policy() -> dict[str, Any]:
    """Arguments of ``prefect.task``."""
    return {
        "retries": RETRIES,
        "retry_delay_seconds": DELAYS_S,
        "retry_jitter_factor": 0.5,
        "retry_condition_fn": worth_a_retry,
    }


@contextmanager
def device_slots(limit: str, occupy: int) -> Iterator[None]:
    """Wait for so many slots of Prefect's global concurrency ``limit`` and hold them; nothing where no limit is named.

    Strict: a limit that does not exist is an error before anything runs. A server that does not answer while slots are
    held does not stop the work; slots of a process that died are free again when their lease expires (5 minutes).
    """
    if not (limit and occupy):
        yield
        return
    with concurrency(limit, occupy=occupy, strict=True, raise_on_lease_renewal_failure=False):
        yield
