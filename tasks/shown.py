"""What is made for people to look at in Prefect must not end a run when Prefect's server does not answer for a moment."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from httpx import HTTPError
from prefect.exceptions import PrefectException

logger = logging.getLogger(__name__)


@contextmanager
def shown(what: str) -> Iterator[None]:
    """Go on with a warning where the server refuses what the block shows, or is not there; the store and MLflow have it all."""
    try:
        yield
    except (HTTPError, PrefectException, OSError, TimeoutError) as error:
        logger.warning("%s is not shown in Prefect: %s: %s", what, type(error).__name__, error)
