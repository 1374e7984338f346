"""The fork server's process: import the heavy modules once, then fork a warden for every socket that arrives.

It never starts a thread and runs no operation of the modules it has imported, so that a fork of it is a clean one.
``python -m r1flow.components.processes.forker FD PARENT_PID MODULE...`` runs it on the inherited control socket FD.
"""

import gc
import importlib
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from r1flow.components.processes.lifeline import Channel
from r1flow.components.processes.warden import supervise

ORPHAN_CHECK_S = 0.5

IMPORT_ENV = {
    # OpenBLAS (NumPy's and SciPy's) and Arrow's jemalloc start a thread each when they are loaded.
    "OPENBLAS_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    # torch.cuda.is_available() asks NVML instead of CUDA, which does not survive a fork (torch.cuda, "fork").
    "PYTORCH_NVML_BASED_CUDA_CHECK": "1",
}
"""The environment in which the modules are imported; a program sees its caller's environment instead."""


def serve(control: socket.socket, parent_pid: int, modules: Sequence[str]) -> int:
    """Import ``modules``, report ``{"seconds", "failures", "warning"}``, fork until ``control`` ends. The exit code."""
    before = dict(os.environ)
    began = time.monotonic()
    failures = _import_all(modules, parent_pid)
    warning = _thread_warning(modules)
    Channel(control).send({"seconds": time.monotonic() - began, "failures": failures, "warning": warning})
    if failures:
        return 1
    control.settimeout(None)  # an idle server waits for as long as the flow lives: its end is the end of file
    imported = {name: value for name, value in os.environ.items() if before.get(name) != value}
    gc.collect()
    gc.freeze()  # the collector of a child then leaves the imported objects, and the pages they share, alone
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps the wardens; they report over their own sockets
    while True:
        received, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        if not received:
            return 0
        _fork_warden(control, descriptors[0], imported, warning)


def _import_all(modules: Sequence[str], parent_pid: int) -> dict[str, str]:
    """Import each module; the errors by module. Ends the process where the flow dies meanwhile."""

    def check_parent(*_: object) -> None:
        if os.getppid() != parent_pid:
            os._exit(1)

    signal.signal(signal.SIGALRM, check_parent)
    signal.setitimer(signal.ITIMER_REAL, ORPHAN_CHECK_S, ORPHAN_CHECK_S)
    failures = {}
    for module in modules:
        try:
            importlib.import_module(module)
        except Exception as error:  # an import runs foreign code; whatever it raises is reported by name
            traceback.print_exc()
            failures[module] = f"{type(error).__name__}: {error}"
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    return failures


def _fork_warden(control: socket.socket, descriptor: int, imported: dict[str, str], warning: str) -> None:
    """Fork a warden on ``descriptor``; the server keeps no copy of it."""
    os.set_inheritable(descriptor, False)
    sys.stdout.flush()
    sys.stderr.flush()
    if os.fork() == 0:
        try:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            control.close()
            supervise(socket.socket(fileno=descriptor), imported, warning)
        except BaseException:  # nothing may climb into the server's loop, which is not this process's
            traceback.print_exc()
        finally:
            os._exit(0)  # nobody reads it: the warden's report has gone over its socket, or its end of file tells
    os.close(descriptor)


def _thread_warning(modules: Sequence[str]) -> str:
    """What to say where ``modules`` have started threads, native ones included where the system lists them, or ""."""
    tasks = Path("/proc/self/task")
    if tasks.exists():
        names = [(task / "comm").read_text(encoding="utf-8").strip() for task in tasks.iterdir()]
    else:
        names = [thread.name for thread in threading.enumerate()]
    if len(names) == 1:
        return ""
    return (
        f"the preloaded modules {', '.join(modules)} have started threads ({', '.join(names)}): "
        "a program that is forked now may hang; preload fewer of them"
    )


if __name__ == "__main__":
    sys.exit(serve(socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2]), sys.argv[3:]))
