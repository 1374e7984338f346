"""What a program leaves behind: ``exit.json`` and the end of its log, read back as metrics or as an exception."""

import json
import os
import shutil
import signal
import traceback
from pathlib import Path
from typing import Any

from r1flow.components.core import errors

TAIL_LINES = 25
"""Enough for a native crash, whose stack ends with ten frames of this package."""
TAIL_BYTES = 32768
LINE_CHARS = 400
FULL_BYTES = 1 << 20
"""A disk with less room than this counts as full: whatever has failed there has most likely failed for that."""


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` in one step: a reader sees all of it or the old file. ``TypeError`` if it is not JSON."""
    text = json.dumps(value, indent=1)
    draft = path.with_name(path.name + ".part")
    draft.write_text(text + "\n", encoding="utf-8")
    os.replace(draft, path)


def read_json(path: Path) -> dict[str, Any]:
    """The object that ``write_json`` wrote."""
    value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return value


def failure(error: BaseException) -> dict[str, Any]:
    """The ``exit.json`` of a program that raised. A user error is named by its class in ``r1flow.components.core.errors``."""
    known = [cls.__name__ for cls in type(error).__mro__ if cls.__module__ == errors.__name__]
    user_error = isinstance(error, errors.UserError)
    return {
        "ok": False,
        "error_type": known[0] if user_error else type(error).__name__,
        "message": str(error),
        "user_error": user_error,
        "traceback": "".join(traceback.format_exception(error)),
    }


def read_metrics(program: str, work: Path, report: dict[str, Any], log_start: int) -> dict[str, Any]:
    """The metrics of a program that has ended.

    ``report`` is the warden's: ``status`` is the exit code, or minus the signal. Raises the ``UserError`` that the program
    raised; ``StoreUnavailable`` where it met that, so that the stage is tried again and goes on from its last checkpoint;
    else ``StageFailed``. The last two carry the end of the log.
    """
    path = work / "exit.json"
    left = read_json(path) if path.exists() else {}
    if left.get("ok") and report["status"] == 0:
        metrics: dict[str, Any] = left["metrics"]
        return metrics
    if left.get("user_error"):
        raise getattr(errors, left["error_type"])(left["message"])
    if left.get("error_type") == errors.StoreUnavailable.__name__:
        raise errors.StoreUnavailable(f"{program}: {left['message']}\n{log_tail(work / 'log.txt', log_start)}")
    what = f"failed with {left['error_type']}: {left['message']}" if left.get("ok") is False else _ending(report)
    raise errors.StageFailed(f"{program} {what}{_full_disk(work)}\n{log_tail(work / 'log.txt', log_start)}")


def _full_disk(work: Path) -> str:
    """What to add where there is no room left for a program's files."""
    free = shutil.disk_usage(work).free
    return (
        f"; {work} has {free:,} bytes left: free space there, or set R1_HOME to a larger disk"
        if free < FULL_BYTES
        else ""
    )


def _ending(report: dict[str, Any]) -> str:
    """How a program without a result ended, in words."""
    status: int | None = report["status"]
    if status is None:
        return "is gone, and so is the process that watched over it: somebody killed both"
    if status >= 0:
        return f"ended with exit code {status} and without a result"
    name = {number.value: number.name for number in signal.Signals}.get(-status, f"signal {-status}")
    what = f"was killed by {name} at a peak of {report['max_rss'] / 2**30:.2f} GiB"
    if -status == signal.SIGKILL:
        what += "; nobody here sent that signal, so most likely the kernel ran out of memory (dmesg tells)"
    return what


def log_tail(path: Path, start: int = 0) -> str:
    """The last lines of ``path`` from byte ``start`` on, indented under the file's name."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(start, size - TAIL_BYTES))
        lines = file.read().decode("utf-8", errors="replace").splitlines()[-TAIL_LINES:]
    if not lines:
        return f"its log is empty: {path}"
    return "\n".join([f"last lines of {path}:", *("  " + line[:LINE_CHARS] for line in lines)])
