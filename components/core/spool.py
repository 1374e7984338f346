"""The spool: one JSON line per step, written by the program, shipped by its supervisor."""

import json
import math
import os
import posixpath
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from r1flow.components.core.errors import ConfigError

_NAME = re.compile(r"[A-Za-z0-9_\-. :/]+")
_NAME_LENGTH = 250 - len("/nonfinite")


@dataclass(frozen=True)
class SpoolRow:
    """Metrics of one step and when they were written."""

    step: int
    time_ms: int
    metrics: dict[str, float]


class Spool:
    """The writing end. Every line is flushed, so that a killed program leaves whole steps behind."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            _drop_torn_line(path)

    def append(self, step: int, metrics: Mapping[str, float]) -> None:
        row = {"step": step, "time_ms": time.time_ns() // 1_000_000, "metrics": clean(metrics)}
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(row) + "\n")

    def truncate_after(self, step: int) -> None:
        """Forget steps after ``step`` (0: all but what came before the first step is forgotten too) and torn lines."""
        rows = [row for row in read_spool(self.path) if step > 0 and row.step <= step]
        text = "".join(json.dumps({"step": r.step, "time_ms": r.time_ms, "metrics": r.metrics}) + "\n" for r in rows)
        part = self.path.with_suffix(".part")
        part.write_text(text, encoding="utf-8")
        part.replace(self.path)


class SpoolTail:
    """The reading end: ``poll`` returns the whole lines that came since the last call."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, int] = (0, 0)  # inode, bytes read

    def poll(self) -> list[SpoolRow]:
        try:
            with self.path.open("rb") as stream:
                opened = os.fstat(stream.fileno())  # of what was opened: the name may be replaced at any moment
                inode = opened.st_ino
                start = self._seen[1] if self._seen[0] == inode and self._seen[1] <= opened.st_size else 0
                stream.seek(start)
                data = stream.read()
        except FileNotFoundError:  # the program has not written yet
            return []
        whole = data[: data.rfind(b"\n") + 1]
        self._seen = (inode, start + len(whole))
        return [row for line in whole.splitlines() if (row := _parse(line)) is not None]


def read_spool(path: Path) -> list[SpoolRow]:
    """Every whole row; a missing file has none."""
    return SpoolTail(path).poll()


def _drop_torn_line(path: Path) -> None:
    """Cut what a killed writer left behind the last line end; the next row would be glued to it and lost with it."""
    with path.open("r+b") as stream:
        stream.truncate(stream.read().rfind(b"\n") + 1)


def _parse(line: bytes) -> SpoolRow | None:
    try:
        row = json.loads(line)
        return SpoolRow(int(row["step"]), int(row["time_ms"]), {k: float(v) for k, v in row["metrics"].items()})
    except (ValueError, KeyError, TypeError, AttributeError):  # torn by a kill in the middle of a line
        return None


def clean(metrics: Mapping[str, float]) -> dict[str, float]:
    """Metrics as a tracking server can keep them: a non-finite value becomes the counter ``<name>/nonfinite``.

    MLflow stores infinity as 1.8e308 and refuses a whole batch for one name with ``@`` or ``//``; ConfigError for a
    name it would refuse.
    """
    cleaned: dict[str, float] = {}
    for name, value in metrics.items():
        if not _NAME.fullmatch(name):
            raise ConfigError(f"metric name {name!r}: use letters, digits and _ - . / : (write pass_at_1, not pass@1)")
        if len(name) > _NAME_LENGTH or posixpath.normpath(name) != name or name == "." or name.startswith(("..", "/")):
            raise ConfigError(f"metric name {name!r}: must be a plain path (a/b) of at most {_NAME_LENGTH} characters")
        if math.isfinite(value):
            cleaned[name] = float(value)
        else:
            cleaned[f"{name}/nonfinite"] = 1.0
    return cleaned
