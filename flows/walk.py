"""Walking a graph: every node once, as soon as what it needs is there, the urgent ones first."""

import contextvars
import logging
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager

from r1flow.components.core.errors import BudgetExhausted, R1Error
from r1flow.components.recipe.graph import Graph
from r1flow.tasks.session import open_session

logger = logging.getLogger(__name__)


def walk(graph: Graph, compute: Callable[[str], object], *, parallel: int) -> dict[str, Exception]:
    """Call ``compute`` with the name of every node, at most ``parallel`` at a time; what failed, by node.

    A failure stops what depends on it, and nothing else. What no exception handler should hold (an interrupt) stops the
    run's stages, and goes on when they have ended.
    """
    urgency, order = graph.urgency(), {name: place for place, name in enumerate(graph.nodes)}
    left = {name: {need for need in node.needs if need in graph.nodes} for name, node in graph.nodes.items()}
    running: dict[Future[object], str] = {}
    failures: dict[str, Exception] = {}
    with ThreadPoolExecutor(parallel, thread_name_prefix="stage") as threads, _cancelled_by_errors():
        while left or running:
            ready = sorted((name for name, needs in left.items() if not needs), key=lambda n: (urgency[n], order[n]))
            for name in ready[: parallel - len(running)]:
                del left[name]
                running[threads.submit(contextvars.copy_context().run, compute, name)] = name
            if not running:
                break  # what is left needs something that failed
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                name = running.pop(future)
                if (error := future.exception()) is None:
                    for needs in left.values():
                        needs.discard(name)
                elif isinstance(error, Exception):
                    logger.error("%s failed: %s", name, error)
                    failures[name] = error
                else:
                    raise error
    return failures


@contextmanager
def _cancelled_by_errors() -> Iterator[None]:
    """Whatever leaves the block stops the run: the threads around it end with their stages alone, and are waited for."""
    try:
        yield
    except BaseException:
        if (run := open_session()) is not None:
            run.cancelled.set()
        raise


def raise_failures(failures: Mapping[str, Exception]) -> None:
    """The one failure as it is; several as one error that names all; nothing where nothing failed.

    A spent budget stops every stage: it is one failure, however many stages say so.
    """
    if not failures:
        return
    spent = [error for error in failures.values() if isinstance(error, BudgetExhausted)]
    if spent:
        raise spent[0]
    if len(failures) == 1:
        raise next(iter(failures.values()))
    lines = [f"{name}: {type(error).__name__}: {error}" for name, error in failures.items()]
    raise R1Error(f"{len(failures)} stages failed: {', '.join(failures)}\n" + "\n".join(lines))
