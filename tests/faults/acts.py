"""The programs that test_keeper runs: ``main`` does what ``spec["do"]`` names."""

import ctypes
import json
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from r1flow.components.core import errors

FOREVER_S = 600


def main(spec: dict[str, Any]) -> dict[str, Any]:
    """Call the act of that name with the spec."""
    result: dict[str, Any] = globals()[spec["do"]](spec)
    return result


def answer(spec: dict[str, Any]) -> dict[str, Any]:
    print("printed")
    logging.getLogger("act").info("logged")
    os.system("echo from a shell")
    return {"double": 2 * spec["number"], "env": os.environ.get("R1_PROBE"), "cwd": os.getcwd(), "pid": os.getpid()}


def blas_variable(spec: dict[str, Any]) -> dict[str, Any]:
    return {name: os.environ.get(name) for name in ("OPENBLAS_NUM_THREADS", "JE_ARROW_MALLOC_CONF")}


def user_error(spec: dict[str, Any]) -> dict[str, Any]:
    class OwnDataError(errors.DataError):
        pass

    raise {"ConfigError": errors.ConfigError, "DataError": OwnDataError}[spec["class"]]("dev2.steps: must be positive")


def no_store(spec: dict[str, Any]) -> dict[str, Any]:
    raise errors.StoreUnavailable("cannot write s3://bucket/k: nobody answers")


def ordinary_error(spec: dict[str, Any]) -> dict[str, Any]:
    print("\n".join(f"line {k}" for k in range(100)))
    raise RuntimeError("the matrix is singular")


def leave(spec: dict[str, Any]) -> dict[str, Any]:
    sys.exit(0)


def vanish(spec: dict[str, Any]) -> dict[str, Any]:
    print("about to vanish", flush=True)
    os._exit(3)


def crash(spec: dict[str, Any]) -> dict[str, Any]:
    print("about to crash", flush=True)
    os.kill(os.getpid(), getattr(signal, spec["signal"]))
    return {}


def not_json(spec: dict[str, Any]) -> dict[str, Any]:
    return {"model": object()}


def meet(spec: dict[str, Any]) -> dict[str, Any]:
    """Ends only when another program with the same meeting place runs at the same time."""
    Path(spec["place"], spec["me"]).touch()
    while len(list(Path(spec["place"]).iterdir())) < 2:
        time.sleep(0.02)
    return {"me": spec["me"]}


def family(spec: dict[str, Any]) -> dict[str, Any]:
    """A child, a child and an orphan in sessions of their own; then wait. ``stubborn``: they ignore SIGTERM."""
    deaf = "signal.signal(15, signal.SIG_IGN); " if spec.get("stubborn") else ""
    sleeper = [sys.executable, "-c", f"import signal, time; {deaf}time.sleep({FOREVER_S})"]
    near = subprocess.Popen(sleeper)
    far = subprocess.Popen(sleeper, start_new_session=True)
    middle = f"import subprocess; print(subprocess.Popen({sleeper!r}, start_new_session=True, stdout=-3).pid)"
    orphan = int(subprocess.run([sys.executable, "-c", middle], stdout=subprocess.PIPE, check=True).stdout)
    write_pids(spec, near.pid, far.pid, orphan)
    if spec.get("end"):
        return {}
    if spec.get("hold_gil"):
        ctypes.PyDLL(None).sleep(FOREVER_S)
    time.sleep(FOREVER_S)
    return {}


def write_pids(spec: dict[str, Any], *others: int) -> None:
    draft = Path(spec["pids"] + ".part")
    draft.write_text(json.dumps({"program": os.getpid(), "warden": os.getppid(), "others": others}))
    draft.rename(spec["pids"])


def stop_politely(spec: dict[str, Any]) -> dict[str, Any]:
    """On SIGTERM leave a note, as a trainer that writes a last checkpoint does."""

    def note(*_: object) -> None:
        Path(spec["note"]).write_text("saved")
        os._exit(0)

    signal.signal(signal.SIGTERM, note)
    write_pids(spec)
    time.sleep(FOREVER_S)
    return {}


def fill(spec: dict[str, Any]) -> dict[str, Any]:
    """Write into the work directory until there is no room left."""
    with Path(spec["file"]).open("wb") as file:
        while True:
            file.write(b"x" * (1 << 16))
            file.flush()


def matmul(spec: dict[str, Any]) -> dict[str, Any]:
    """A product and a gradient on two threads; ``preloaded`` tells whether torch was there before."""
    preloaded = "torch" in sys.modules
    import torch

    torch.set_num_threads(2)
    matrix = torch.arange(512 * 512, dtype=torch.float64).reshape(512, 512) % 7
    weight = torch.ones(512, 512, dtype=torch.float64, requires_grad=True)
    torch.autograd.backward((matrix @ weight).sum())
    assert weight.grad is not None
    exact = bool((weight.grad[:, 0] == matrix.sum(0)).all())
    return {"exact": exact, "threads": torch.get_num_threads(), "preloaded": preloaded}
