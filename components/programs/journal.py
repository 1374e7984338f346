"""A training program's memory: metrics per step, lake shards, checkpoints, and how to go on from the last one."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from transformers import PreTrainedModel

from r1flow.components.core.errors import BudgetExhausted, ConfigError, IntegrityError, ObjectMissingError
from r1flow.components.core.rollout import Group
from r1flow.components.core.spool import Spool, read_spool
from r1flow.components.programs.spec import STOP, Spec
from r1flow.components.store.checkpoint import Checkpoints
from r1flow.components.store.objects import open_store
from r1flow.components.store.rollouts import lake
from r1flow.components.store.rollouts.pending import read_unsaved, write_unsaved
from r1flow.components.training.engines import ranks
from r1flow.components.training.engines.base import Engine
from r1flow.components.training.engines.state import load_state, save_state
from r1flow.components.training.rl.meter import reproducible

HISTORY = "history.jsonl"
SHARDS = "lake.json"
"""In a checkpoint: the lake's shards so far with their sha256. They lie beside the checkpoints, which keep a few steps alone."""
_MEND = "restore it from a copy, or delete this stage's checkpoints and run it again"


class Ahead(Protocol):
    """What a trainer has made ahead of its steps: ``r1flow.components.training.rl.asynchronous``."""

    def save(self, directory: Path) -> None: ...

    def load(self, directory: Path) -> None: ...


class Journal:
    """Keeps a run killable: whatever it recorded up to the last checkpoint survives, what came later is forgotten.

    ``history.jsonl`` in the output holds every step's metrics except the machine's (times, memory), so that its bytes are the
    run's own; the spool holds them all and is shipped to the tracking server by the supervisor. ``value``: the engine of PPO's
    value model.
    """

    def __init__(self, spec: Spec, engine: Engine, *, every: int, last_step: int, value: Engine | None = None) -> None:
        self.spec = spec
        self.engine = engine
        self.value = value
        self.every = every
        self.last_step = last_step
        self.reference: PreTrainedModel | None = None
        self.ahead: Ahead | None = None
        self._store = open_store(spec.store)
        self._checkpoints = Checkpoints(self._store, f"{spec.checkpoints}/state")
        self._spool = Spool(spec.spool)
        self._history: list[str] = []
        self._unsaved: list[tuple[int, Sequence[Group]]] = []
        self._lake = spec.out / "lake"
        self._shards: dict[str, str] = {}
        self._writes = ranks.rank() == 0
        spec.out.mkdir(parents=True, exist_ok=True)

    def resume(self, reference: PreTrainedModel | None = None, ahead: Ahead | None = None) -> int:
        """Load the last complete checkpoint, if any; returns the step it was taken after (0: from the start)."""
        self.reference, self.ahead = reference, ahead
        step = self._checkpoints.latest() or 0
        if step:
            with tempfile.TemporaryDirectory(dir=self.spec.work) as name:
                directory = Path(name)
                self._checkpoints.load(step, directory)
                load_state(directory, self.engine, reference, self.value)
                if ahead is not None:
                    ahead.load(directory)
                self._history = (directory / HISTORY).read_text().splitlines()
                if self._writes:
                    self._unsaved = read_unsaved(directory)
                    self._shards = _read_shards(directory)
        if self._writes:
            self._spool.truncate_after(step)
            self._refill_spool()
            self._restore_lake()
        ranks.barrier()
        return step

    def record(self, step: int, metrics: dict[str, float], groups: Sequence[Group] = ()) -> None:
        """Note a finished step (0: before the first); every ``every`` steps, and at the last, make it durable.

        Raises :class:`BudgetExhausted` where the supervisor has asked for an end: after a checkpoint of this step, which leaves
        the lake's shards cut as they would have been without it.
        """
        if self._writes:
            self._spool.append(step, metrics)
        self._history.append(json.dumps({"step": step, **reproducible(metrics)}))
        if groups and self._writes:
            self._unsaved.append((step, groups))
        if step and (step % self.every == 0 or step == self.last_step):
            self._flush_lake()
            self._checkpoint(step)
        if step < self.last_step and (why := self._stopped()):
            if step % self.every:
                self._checkpoint(step)
            raise BudgetExhausted(why)

    def _stopped(self) -> str:
        """Why to stop; the same on all ranks."""
        path = self.spec.work / STOP
        said = path.read_text(encoding="utf-8") if self._writes and path.exists() else ""
        return "".join(ranks.gather(said))

    def finish(self) -> None:
        """Write the history into the output."""
        if not self._writes:
            return
        (self.spec.out / HISTORY).write_text("\n".join(self._history) + "\n")

    def _checkpoint(self, step: int) -> None:
        with tempfile.TemporaryDirectory(dir=self.spec.work) as name:
            directory = Path(name)
            save_state(directory, self.engine, self.reference, self.value)
            if self.ahead is not None:
                self.ahead.save(directory)
            if not self._writes:
                return
            (directory / HISTORY).write_text("\n".join(self._history) + "\n")
            write_unsaved(directory, self._unsaved)
            (directory / SHARDS).write_text(json.dumps(self._shards))
            self._checkpoints.save(step, directory)

    def _flush_lake(self) -> None:
        if not self._unsaved:
            return
        name = lake.shard_name(self._unsaved[0][0], self._unsaved[-1][0])
        lake.write_shard(self._lake / name, self._unsaved)
        if not self._store.exists(self._shard_key(name)):
            self._store.put_file(self._lake / name, self._shard_key(name))
        self._shards[name] = _sha256(self._lake / name)
        self._unsaved = []

    def _refill_spool(self) -> None:
        """On another machine than the one that began there is no spool: the curves begin with the checkpoint's history."""
        if not read_spool(self._spool.path):
            for line in self._history:
                metrics = json.loads(line)
                self._spool.append(int(metrics.pop("step")), metrics)

    def _restore_lake(self) -> None:
        """The shards that the checkpoint names, from the store, every byte verified; anything later is sampled again.

        IntegrityError names a shard that is damaged or missing.
        """
        shutil.rmtree(self._lake, ignore_errors=True)
        for key in self._store.list(f"{self.spec.checkpoints}/lake"):
            if key.rsplit("/", 1)[1] not in self._shards:
                self._store.delete(key)
        for name, expected in self._shards.items():
            where = f"{self._store.uri}/{self._shard_key(name)}"
            try:
                self._store.get_file(self._shard_key(name), self._lake / name)
            except ObjectMissingError as error:
                raise IntegrityError(f"{where} is missing: sha256 expected {expected}, found none; {_MEND}") from error
            if (found := _sha256(self._lake / name)) != expected:
                raise IntegrityError(f"{where} is damaged: sha256 expected {expected}, found {found}; {_MEND}")

    def _shard_key(self, name: str) -> str:
        return f"{self.spec.checkpoints}/lake/{name}"


def _read_shards(directory: Path) -> dict[str, str]:
    path = directory / SHARDS
    if not path.exists():
        raise ConfigError(
            f"the checkpoint has no {SHARDS}: a version before this one made it; delete this stage's checkpoints"
        )
    shards: dict[str, str] = json.loads(path.read_text())
    return shards


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
