"""The process between us and a server that is not ours: it starts the command, owns every descendant, and outlives them.

``python -m r1flow.components.processes.guard FD SIGNAL GRACE_S COMMAND...`` runs COMMAND with this process's environment
and output. FD is a socket: an order on it asks COMMAND to end by SIGNAL (0: the whole tree by SIGTERM), and after GRACE_S
kills what is left of it; the end of file, which the death of whoever started it brings, kills the tree at once. The report
is the warden's.
"""

import contextlib
import functools
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence

from r1flow.components.processes.lifeline import Channel
from r1flow.components.processes.prctl import PR_SET_CHILD_SUBREAPER, PR_SET_PDEATHSIG, prctl
from r1flow.components.processes.warden import Tree, wake_on_signals


def guard(lifeline: Channel, command: Sequence[str], gently: signal.Signals | None, grace_s: float) -> None:
    """Run ``command`` to its end, or to an order's, and report."""
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    wake = wake_on_signals()
    # Descriptors of ours are closed in the child, signals are the kernel's defaults there. This process has one thread.
    try:
        process = subprocess.Popen(command, preexec_fn=functools.partial(_tie, os.getpid()))
    except OSError as error:
        print(f"{command[0]} cannot be started: {error.strerror}", flush=True)
        report = {"status": 127, "max_rss": 0, "survivors": []}
    else:
        with contextlib.suppress(BrokenPipeError):  # nobody is left to be told: the end of file comes next
            lifeline.send({"program": process.pid})
        report = Tree(process.pid, lifeline, wake, gently=gently, grace_s=grace_s).tend()
    with contextlib.suppress(BrokenPipeError):
        lifeline.send(report)
    os._exit(0)  # what Popen thinks of the process, which the tree has reaped, is of no interest


def _tie(guard_pid: int) -> None:
    """In the child: the kernel ends the command when the guard dies. One that changes its user has to say so again."""
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != guard_pid:  # it has died before the line above could count
        os._exit(1)


if __name__ == "__main__":
    descriptor, number, seconds, *rest = sys.argv[1:]
    asked = None if number == "0" else signal.Signals(int(number))
    guard(Channel(socket.socket(fileno=int(descriptor))), rest, asked, float(seconds))
