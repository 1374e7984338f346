"""A program that looks at a stranger's files, in a supervised child: its end is laid to what it was looking at."""

import shutil
import threading
from pathlib import Path
from typing import Any

from r1flow.components.core.errors import ModelError, StageFailed
from r1flow.components.processes.keeper import run_program
from r1flow.components.processes.preload import ForkServer
from r1flow.components.processes.workplace import own_directory
from r1flow.components.programs.inspect_model import NOTE, Limits


def look(
    program: str,
    spec: dict[str, Any],
    *,
    work: Path,
    server: ForkServer | None,
    limits: Limits,
    timeout_s: float,
    cancelled: threading.Event | None = None,
) -> dict[str, Any]:
    """What ``program`` says of ``spec`` with ``limits`` and ``work``.

    Raises what it raised, :class:`ModelError` where it went past the ``limits``, and :class:`StageFailed` where it was cancelled
    or could not be started. ``work`` is a directory for this alone; it is kept where looking failed, with the log.
    """
    with own_directory(work) as directory:
        (directory / NOTE).unlink(missing_ok=True)
        told = {**spec, "limits": limits.model_dump(mode="json"), "work": str(directory)}
        try:
            found = run_program(program, told, work=directory, server=server, timeout_s=timeout_s, cancelled=cancelled)
        except StageFailed as error:
            if (cancelled is not None and cancelled.is_set()) or not (directory / NOTE).exists():
                raise
            raise _blamed(program, error, directory / NOTE, limits) from error
        shutil.rmtree(directory, ignore_errors=True)
    return found


def _blamed(program: str, error: StageFailed, note: Path, limits: Limits) -> ModelError:
    """The child's end, laid to what it was looking at."""
    setting, fix = note.read_text(encoding="utf-8").split("\n", 1)
    reason = str(error).partition("\n")[0].removeprefix(f"{program} ")
    if "SIGPROF" in reason:
        reason = f"was stopped after {limits.cpu_s:g} s of processor time"
    return ModelError(f"{setting}: the process that looked at it {reason}; {fix}")
