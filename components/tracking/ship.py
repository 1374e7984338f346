"""Events on their way to MLflow, in a thread beside the run: nothing that computes ever waits for a tracking server."""

import logging
import shutil
import socket
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import psutil

from r1flow.components.core.redact import redact
from r1flow.components.tracking.mirror import REFUSALS, Event, Mirror
from r1flow.components.tracking.outbox import EVENTS, abandoned, read_events

TRIES = 3  # of an event that fails though the server answers
FIRST_PAUSE_S, LAST_PAUSE_S = 1.0, 30.0

logger = logging.getLogger(__name__)


class Outage(Exception):
    """MLflow does not answer; nothing is lost, what waits is sent later."""


class Delivery:
    """Applies events, tells refusals from outages, and counts both in ``failures``."""

    def __init__(self, mirror: Mirror) -> None:
        self.mirror = mirror
        self.failures = 0
        self._down = False

    def send(self, event: Event, folder: Path) -> None:
        """Apply one event; Outage while the server does not answer. What it refuses is logged and given up."""
        for left in reversed(range(TRIES)):
            try:
                self.mirror.apply(event, folder)
            except Exception as error:  # MLflow raises anything from its own to sqlalchemy's; none may stop a run
                refused = getattr(error, "error_code", "") in REFUSALS
                if not refused and not self.mirror.reachable():
                    self._count(f"cannot be reached ({error}); what it misses is sent later", told=self._down)
                    self._down = True
                    raise Outage(redact(str(error))) from error
                if refused or not left:
                    self._count(f"refuses {event['do']} of {event['run']} ({error}); the run goes on without it")
                    return
                time.sleep(FIRST_PAUSE_S)
            else:
                self._down = False
                return

    def recover(self, root: Path) -> int:
        """Send what dead processes left and close their runs as KILLED; how many were closed. Outage as in ``send``."""
        closed = 0
        for folder, stream in abandoned(root):
            open_runs: dict[str, int] = {}
            last = int(time.time() * 1000)
            for event, _ in read_events(stream):
                last = int(event.get("at", last))
                if event["do"] == "start":
                    open_runs[event["run"]] = last
                elif event["do"] == "finish":
                    open_runs.pop(event["run"], None)
                self.send(event, folder)
            for run in open_runs:
                self.send({"do": "finish", "run": run, "status": "KILLED", "at": last}, folder)
            closed += len(open_runs)
            shutil.rmtree(folder)
        return closed + self._close_orphans()

    def _close_orphans(self) -> int:
        """Runs of this host that say RUNNING though their process is dead and left no outbox: closed as KILLED."""
        try:
            with self.mirror.lock:
                dead = [run for run in self.mirror.running(socket.gethostname()) if not _lives(run.data.tags)]
                for run in dead:
                    self.mirror.terminate(run.info.run_id, "KILLED")
        except Exception as error:  # as above
            self._count(f"could not be asked for runs of dead processes ({error})", told=self._down)
            self._down = True
            raise Outage from error
        return len(dead)

    def kill(self, run: str) -> int:
        """Close a run that says RUNNING, and its stages, as KILLED; how many said so. Outage as in ``send``."""
        try:
            with self.mirror.lock:
                dead = self.mirror.running_of(run)
                for found in dead:
                    self.mirror.terminate(found.info.run_id, "KILLED")
        except Exception as error:  # as above
            self._count(f"could not be told that {run} is dead ({error})")
            raise Outage from error
        return len(dead)

    def _count(self, what: str, told: bool = False) -> None:
        self.failures += 1
        logger.log(logging.DEBUG if told else logging.WARNING, "%s", redact(f"MLflow at {self.mirror.uri} {what}"))


class Shipper:
    """A thread that sends an outbox while it is written."""

    def __init__(self, delivery: Delivery, folder: Path) -> None:
        self._delivery = delivery
        self._folder = folder
        self._changed = threading.Condition()
        self._written = self._sent = self._outages = 0  # offsets in the events, and attempts that failed
        self._recovered = self._hurry = self._stop = False
        self._thread = threading.Thread(target=self._run, name="mlflow", daemon=True)
        self._thread.start()

    def wrote(self, end: int) -> None:
        """There is news up to this offset."""
        with self._changed:
            self._written = max(self._written, end)
            self._changed.notify_all()

    def flush(self, timeout_s: float) -> bool:
        """Wait until all that was written has arrived; False after an attempt that failed, or ``timeout_s``."""
        with self._changed:
            until, outages = self._written, self._outages
            self._hurry = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._sent >= until or self._outages > outages, timeout_s)
            return self._sent >= until

    def close(self, timeout_s: float) -> bool:
        """``flush``, then end the thread; whether everything has arrived."""
        done = self.flush(timeout_s)
        with self._changed:
            self._stop = True
            self._changed.notify_all()
        self._thread.join(timeout=timeout_s if done else 0.1)  # one that hangs in a request dies with the process
        return done

    def _run(self) -> None:
        pause = FIRST_PAUSE_S
        with (self._folder / EVENTS).open("rb") as stream:
            while self._news():
                try:
                    self._send_all(stream)
                    pause = FIRST_PAUSE_S
                except Outage:
                    self._rest(pause)
                    pause = min(2 * pause, LAST_PAUSE_S)

    def _send_all(self, stream: BinaryIO) -> None:
        if not self._recovered:
            self._delivery.recover(self._folder.parent)
            self._recovered = True
        stream.seek(self._sent)
        for event, end in read_events(stream):
            self._delivery.send(event, self._folder)
            with self._changed:
                self._sent = end
                self._changed.notify_all()
                if self._stop:
                    return

    def _news(self) -> bool:
        """Wait for something to send; False when it is time to end."""
        with self._changed:
            self._changed.wait_for(lambda: self._stop or self._written > self._sent)
            return not self._stop

    def _rest(self, pause: float) -> None:
        """Wait before the next attempt, unless somebody waits for it."""
        with self._changed:
            self._outages += 1
            self._hurry = False
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._stop or self._hurry, pause)


def _lives(tags: Mapping[str, str]) -> bool:
    pid = tags.get("r1.pid", "")
    return pid.isdecimal() and psutil.pid_exists(int(pid))
