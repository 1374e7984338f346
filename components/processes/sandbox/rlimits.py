"""Programs under resource limits and without isolation: for machines without namespaces, on the user's word alone.

What it does: a session of its own, limits, an empty environment, an empty working directory, a wall clock, the same
channels; where the caller is root, a user id of its own, and at the end every process of that user is killed.
What it does not: network and file system are open to the program, as is everything that its user id may do, and where
the caller is not root a grandchild with a session of its own survives. A killed caller leaves its directory in /tmp.
"""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from r1flow.components.processes.sandbox import drive
from r1flow.components.processes.sandbox.base import Outcome, Program
from r1flow.components.processes.sandbox.bubblewrap import ENVIRONMENT
from r1flow.components.processes.sandbox.process import GONE_S, Process
from r1flow.components.processes.sandbox.slots import Slots, become, processes_of


class ResourceLimits:
    """``slots`` gives user ids (None: the caller's own)."""

    name = "rlimits"

    def __init__(self, slots: Slots | None) -> None:
        self.slots = slots

    def run(self, program: Program) -> Outcome:
        return drive.run(self._start, [program])[0]

    def run_connected(self, judge: Program, candidate: Program) -> tuple[Outcome, Outcome]:
        first, second = drive.run(self._start, [judge, candidate])
        return first, second

    def _start(self, program: Program, peers: Mapping[int, int]) -> Process:
        uid = self.slots.take() if self.slots else None
        home = ""

        def on_close(clean: bool) -> None:
            if uid is not None:
                clean = _kill_user(uid) and clean
            shutil.rmtree(home, ignore_errors=not home)
            if self.slots and uid is not None:
                self.slots.give_back(uid, clean)

        try:
            home = tempfile.mkdtemp(prefix="r1-program-")
            _write(Path(home), program.files, uid)
            # The kernel counts the processes of a user: of a slot's the program's alone, of the caller's all of them.
            nproc = None if uid is None else program.limits.processes
            environment = {**ENVIRONMENT, "HOME": home}
            return Process(
                program,
                [*become(uid), "--pdeathsig=KILL", "--"],
                (),
                peers,
                nproc=nproc,
                cwd=home,
                environment=environment,
                on_close=on_close,
            )
        except BaseException:  # whatever stopped the start, slot and directory go back
            on_close(True)
            raise


def _write(home: Path, files: Mapping[str, bytes], uid: int | None) -> None:
    for name, content in files.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    if uid is not None:
        for path in (home, *home.rglob("*")):
            os.chown(path, uid, uid)


def _kill_user(uid: int) -> bool:
    """SIGKILL for every process of a slot's user; whether none is left.

    By one call of kill(-1) under that user id, which no chain of forks outruns, as it would a walk through /proc.
    """
    command = [*become(uid), "--", "/bin/bash", "--norc", "--noprofile", "-c", "kill -KILL -1"]
    deadline = time.monotonic() + GONE_S
    # kill fails where there is nobody to kill; what counts is what is left
    subprocess.run(command, env={}, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=GONE_S, check=False)
    while any(processes_of(uid)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True
