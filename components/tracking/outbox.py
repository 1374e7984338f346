"""What a run has to tell MLflow, on the local disk first: one JSON line per event, appended and never changed.

Layout: ``<root>/<run>/events.jsonl`` and ``files/``. The writer holds a lock on the events while it lives; what a dead
process left is found by ``abandoned`` and sent by whoever comes next. The folder goes when everything has arrived.
"""

import fcntl
import json
import logging
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from r1flow.components.tracking.mirror import BATCH, Event

EVENTS = "events.jsonl"

logger = logging.getLogger(__name__)


class Outbox:
    """The writing end, for one run and the stages below it."""

    def __init__(self, root: Path, run: str) -> None:
        self.folder = root / run
        self.folder.mkdir(parents=True)
        born = self.folder / f"{EVENTS}.new"  # nobody looks for it until it is locked
        self._stream = born.open("ab")
        fcntl.flock(self._stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        born.rename(self.folder / EVENTS)
        self._lock = threading.Lock()
        self._files = 0

    def write(self, event: Event) -> int:
        """Append; the offset at which the event ends."""
        line = json.dumps(event).encode() + b"\n"
        with self._lock:
            self._stream.write(line)
            self._stream.flush()  # past this process's death; the machine's may cost the last lines
            return self._stream.tell()

    def keep(self, path: Path) -> str:
        """A copy of ``path``, whose original may be gone before it is sent; its name in the folder."""
        with self._lock:
            self._files += 1
            copy = Path("files") / str(self._files) / path.name
        (self.folder / copy).parent.mkdir(parents=True)
        shutil.copyfile(path, self.folder / copy)
        return copy.as_posix()

    def close(self, *, delivered: bool) -> None:
        """Remove what has arrived; what has not stays for the next run."""
        if delivered:
            shutil.rmtree(self.folder)
        self._stream.close()


def read_events(stream: BinaryIO) -> Iterator[tuple[Event, int]]:
    """The whole events from the stream's position on, each with the offset at which it ends.

    Metrics of one run that follow each other come as one event of at most ``BATCH`` points. A torn last line is left.
    """
    held: tuple[Event, int] | None = None
    end = stream.tell()
    for raw in stream:
        if not raw.endswith(b"\n"):
            break
        end += len(raw)
        try:
            event: Event = json.loads(raw)
        except ValueError:  # half a line from a full disk, with the next one behind it
            logger.warning("an event of %s cannot be read and is left out: %.80r", stream.name, raw)
            continue
        if held and _joins(held[0], event):
            held = {**held[0], "points": held[0]["points"] + event["points"]}, end
            continue
        if held:
            yield held
        held = event, end
    if held:
        yield held


def _joins(held: Event, event: Event) -> bool:
    same = event["do"] == held["do"] == "metrics" and event["run"] == held["run"]
    return same and len(held["points"]) + len(event["points"]) <= BATCH


def abandoned(root: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """Outboxes whose writer is dead, each locked while it is looked at."""
    for path in sorted(root.glob(f"*/{EVENTS}")):
        try:
            stream = path.open("rb")
        except FileNotFoundError:  # sent and removed by somebody else just now
            continue
        with stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:  # its writer lives, or another process is sending it
                continue
            if path.exists() and os.fstat(stream.fileno()).st_ino == path.stat().st_ino:
                yield path.parent, stream
