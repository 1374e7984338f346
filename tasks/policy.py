"""One place for retries: what is worth another try, how often and after how long."""

from typing import Any

from prefect.client.schemas.objects import State, TaskRun
from prefect.exceptions import MissingResult
from prefect.tasks import Task

from components.errors import StoreUnavailable

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
