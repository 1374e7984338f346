"""A stage's log, shown in Prefect while it grows, at a bounded rate: a training log of megabytes would fill its database."""

import codecs
import time
from collections.abc import Callable
from pathlib import Path

LINES_PER_MINUTE = 120
LINE_CHARS = 500


class LogTail:
    """Hands whole new lines of ``path`` to ``show``, at most LINES_PER_MINUTE; what is left out is counted and said."""

    def __init__(self, path: Path, show: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._path, self._show, self._clock = path, show, clock
        self._read = path.stat().st_size if path.exists() else 0  # what an earlier try wrote was shown then
        self._decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
        self._line = ""
        self._minute, self._shown, self._hidden = clock(), 0, 0

    def poll(self) -> None:
        """Show what came since the last call."""
        if not self._path.exists():  # the program has not started
            return
        with self._path.open("rb") as stream:
            stream.seek(self._read)
            data = stream.read()
        self._read += len(data)
        *lines, self._line = (self._line + self._decode(data)).split("\n")
        if self._clock() - self._minute >= 60:
            self._minute, self._shown = self._clock(), 0
            self._say_hidden()
        for line in lines:
            if self._shown < LINES_PER_MINUTE:
                self._shown += 1
                self._show(line.rsplit("\r", 1)[-1][:LINE_CHARS])  # of a progress bar its last state
            else:
                self._hidden += 1

    def close(self) -> None:
        """Show the rest, a last line without an end too."""
        self.poll()
        if self._line:
            self._show(self._line[:LINE_CHARS])
        self._say_hidden()

    def _say_hidden(self) -> None:
        if self._hidden:
            self._show(f"({self._hidden:,} more lines: the whole log is in MLflow, log.txt)")
            self._hidden = 0
