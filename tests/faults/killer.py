"""Kills a run from within, at named points, once for each stage. Production code knows nothing of it: its classes are wrapped.

The environment says what to do: R1_KILL_POINTS (names, commas between), R1_KILL_ONLY (stages as kind-digits or ``promote``;
empty: all), R1_KILL_LOG (a folder): ``kills.jsonl`` gets a line before every kill, and a pair of stage and point that stands
there is not killed again; ``steps.jsonl`` gets a line for every step that a program has finished.
"""

import contextlib
import fcntl
import functools
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

POINTS = {
    "step_k": "a step is done and recorded, its checkpoint is not",
    "mid_checkpoint": "half of a file of the checkpoint is written, others are or are not",
    "after_checkpoint": "the checkpoint is complete, nobody has gone on from it",
    "before_upload": "the program has ended, nothing of its output is on the store",
    "mid_upload": "half of a file of the artifact is written, others are or are not",
    "before_manifest": "all files lie there, the manifest does not",
    "after_manifest": "the artifact is whole, and nobody has been told",
    "before_alias": "the promotion stands in the log, the alias does not show it",
    "after_alias": "the alias is moved, the run has not ended",
}
FLOW = "R1_KILL_FLOW"
"""The process that `r1 run` is, which leads a group of its own."""


def arm() -> None:
    """Wrap what the points lie at, in the process of the flow and in every program that it starts."""
    from r1flow.components.core.spool import Spool
    from r1flow.components.store import artifact, checkpoint
    from r1flow.components.store.local import LocalStore
    from r1flow.components.tracking.registry import Registry

    os.environ.setdefault(FLOW, str(os.getpid()))
    first: dict[str, str] = {}  # of each folder with several files the one that is stored before any kill

    def upload(inner: Callable[..., None], store: Any, snapshot: Any, prefix: str) -> None:
        if prefix.startswith("artifacts/"):
            die("before_upload", stage_of(prefix))
        if len(snapshot.files) > 1:
            first[prefix] = f"{prefix}/{snapshot.files[0].path}"
        inner(store, snapshot, prefix)

    def put_file(inner: Callable[..., None], store: Any, path: Path, key: str) -> None:
        point = "mid_upload" if key.startswith("artifacts/") else "mid_checkpoint" if "/state/" in key else ""
        if key not in first.values() and due(point, stage_of(key)):
            write_half(store, path, key)
            die(point, stage_of(key))
        inner(store, path, key)

    def create(inner: Callable[..., bool], store: Any, key: str, data: bytes) -> bool:
        manifest = key.startswith("artifacts/") and key.endswith("/MANIFEST.json")
        if manifest:
            die("before_manifest", stage_of(key))
        created = inner(store, key, data)
        if manifest:
            die("after_manifest", stage_of(key))
        return created

    def save(inner: Callable[..., None], self: Any, step: int, directory: Path) -> None:
        inner(self, step, directory)
        die("after_checkpoint", stage_of(self.prefix))

    def append(inner: Callable[..., None], self: Any, step: int, metrics: Any) -> None:
        inner(self, step, metrics)
        stage = self.path.parent.name
        if step > 0:  # 0 is what was measured before the first
            write("steps.jsonl", {"stage": stage, "step": step, "pid": os.getpid()})
        if step >= wanted_step(stage):
            die("step_k", stage)

    def mlflow(inner: Callable[..., Any], self: Any) -> Any:
        client = inner(self)
        if "set_registered_model_alias" not in vars(client):
            move = client.set_registered_model_alias

            def set_alias(model: str, alias: str, version: str) -> None:
                die("before_alias", "promote")
                move(model, alias, version)
                die("after_alias", "promote")

            client.set_registered_model_alias = set_alias
        return client

    wrap(artifact, "upload", upload)
    wrap(checkpoint, "upload", upload)
    wrap(LocalStore, "put_file", put_file)
    wrap(LocalStore, "create", create)
    wrap(checkpoint.Checkpoints, "save", save)
    wrap(Spool, "append", append)
    wrap(Registry, "_mlflow", mlflow)


def wrap(owner: Any, name: str, wrapper: Callable[..., Any]) -> None:
    """``owner.name(...)`` becomes ``wrapper(the former, ...)``."""
    inner = getattr(owner, name)

    @functools.wraps(inner)
    def outer(*arguments: Any, **named: Any) -> Any:
        return wrapper(inner, *arguments, **named)

    setattr(owner, name, outer)


def stage_of(key: str) -> str:
    """``artifacts/KIND/DIGITS/...`` or ``checkpoints/KIND/DIGITS/...`` as KIND-DIGITS, the name of its work directory."""
    return "-".join(key.split("/")[1:3])


def wanted_step(stage: str) -> int:
    """The step after which ``step_k`` strikes: 1, or what R1_KILL_STEPS says (JSON, by stage)."""
    steps: dict[str, int] = json.loads(os.environ.get("R1_KILL_STEPS", "{}"))
    return steps.get(stage, 1)


def due(point: str, stage: str) -> bool:
    """Whether this stage is to be killed at this point and has not been yet."""
    only = os.environ.get("R1_KILL_ONLY", "")
    if point not in os.environ["R1_KILL_POINTS"].split(",") or (only and stage not in only.split(",")):
        return False
    return {"stage": stage, "point": point} not in lines(Path(os.environ["R1_KILL_LOG"]) / "kills.jsonl")


def die(point: str, stage: str) -> None:
    """Where it is due: note it, then SIGKILL for the flow's group and for this process."""
    if due(point, stage):
        write("kills.jsonl", {"stage": stage, "point": point})
        with contextlib.suppress(ProcessLookupError):  # another program of the run came to its point at the same time
            os.killpg(int(os.environ[FLOW]), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)


def write_half(store: Any, path: Path, key: str) -> None:
    """What a store that is killed in the middle of a copy leaves: half of the bytes under a temporary name."""
    from r1flow.components.store import local

    whole = path.read_bytes()
    with local._temporary(store.local_path(key)) as (temporary, _):
        pass
    temporary.write_bytes(whole[: len(whole) // 2])


def write(name: str, line: dict[str, Any]) -> None:
    with (Path(os.environ["R1_KILL_LOG"]) / name).open("a", encoding="utf-8") as log:
        fcntl.flock(log, fcntl.LOCK_EX)
        log.write(json.dumps(line) + "\n")
        log.flush()
        os.fsync(log.fileno())


def lines(path: Path) -> list[dict[str, Any]]:
    """What ``write`` has written."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
