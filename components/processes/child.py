"""The program's side: load ``r1flow.components.programs.<name>``, call its ``main(spec)`` and leave ``exit.json``."""

import faulthandler
import importlib
import logging
import re
import sys
from pathlib import Path

from r1flow.components.core.errors import UserError
from r1flow.components.processes import outcome

EXIT_FAILED = 1
EXIT_USER_ERROR = 2

PROGRAM_NAME = re.compile(r"(r1flow\.components\.programs|tests)(\.[a-z_][a-z0-9_]*)+")

logger = logging.getLogger(__name__)


def check_name(program: str) -> str:
    """``program`` itself, where it names a module that may be run. Raises ``ValueError`` otherwise."""
    if not PROGRAM_NAME.fullmatch(program):
        raise ValueError(f"{program!r} is no program: expected r1flow.components.programs.<name>")
    return program


def run(program: str, work: Path) -> int:
    """Run ``program`` on ``work/spec.json``, write ``work/exit.json``; the exit code: 0, 1, or 2 (user error).

    The main function takes the spec (dict) and returns its metrics (a dict of JSON values). What it raises is written
    to ``exit.json`` and, unless it is a ``UserError``, with its traceback to the log.
    """
    faulthandler.enable(all_threads=False)  # the stack of the crash alone, or the end of the log would not show it
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True
    )
    sys.argv = [program]
    try:
        metrics = _call(program, work)
        outcome.write_json(work / "exit.json", {"ok": True, "metrics": metrics})
    except BaseException as error:  # SystemExit and KeyboardInterrupt too: whatever ends a program is its outcome
        outcome.write_json(work / "exit.json", outcome.failure(error))
        if isinstance(error, UserError):
            logger.error("%s", error)
            return EXIT_USER_ERROR
        logger.exception("%s failed", program)
        return EXIT_FAILED
    return 0


def _call(program: str, work: Path) -> dict[str, object]:
    """Import the program, hand it the spec, and check that metrics come back."""
    main = importlib.import_module(check_name(program)).main
    metrics = main(outcome.read_json(work / "spec.json"))
    if not isinstance(metrics, dict):
        raise TypeError(f"{program}.main returned {type(metrics).__name__}, not a dict of metrics")
    return metrics
