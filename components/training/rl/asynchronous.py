"""Asynchronous GRPO: while the trainer updates on the rollouts of one step, the sampler draws those of later ones.

The schedule, with the staleness bound k: **the rollouts of step n are sampled by policy version max(0, n - 1 - k)**, version
v being the weights after step v. It depends on no clock, so the same run gives the same bits. One thread works off a queue
of (load a version, prove it, sample and score a step) in the order of the steps; the trainer waits for the step that it
needs and adds the next order after its update::

    k = 1    trainer     wait 1 | update 1 | wait 2 | update 2 | wait 3 | ...
             sampler     1 by 0 | 2 by 0   | load 1, 3 by 1    | load 2, 4 by 2 ...

The thread takes part in no collective: each rank's samples that rank's share, and the shares are gathered when the main
thread takes the step. The objective for such data is the decoupled one: see :mod:`r1flow.components.training.rl.loss`.
"""

import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from r1flow.components.core.errors import WeightSyncError
from r1flow.components.core.rollout import Group, Rollout
from r1flow.components.store.rollouts.pending import read_pending, write_pending
from r1flow.components.training.rl.batch import Groups
from r1flow.components.training.rl.snapshot import Snapshot, serve_snapshot, take_snapshot
from r1flow.components.training.rl.trainer import GrpoTrainer, gathered, grouped

PENDING = "pending.parquet"


@dataclass(frozen=True)
class Drawn:
    """Rollouts of a step, and the seconds that their making took."""

    rollouts: list[Rollout]
    seconds: float


class AsyncTrainer(GrpoTrainer):
    """A :class:`GrpoTrainer` whose sampler works ahead of it; the sampler must have weights of its own.

    Order of calls: ``load`` where a checkpoint is continued, ``sync``, what else is to be sampled by that version, ``start``,
    then the steps. A call of the sampler that is under way when the sampler is closed ends with an error, and the thread
    with it.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._last_step = 0  # until start(), sync() waits for the sampler as the synchronous trainer does
        self._ready: dict[int, Drawn] = {}  # of all ranks
        self._ordered: dict[int, Future[Drawn]] = {}  # of this one
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="rollouts")

    def start(self, done: int, last_step: int) -> None:
        """Have the steps after ``done`` sampled, by the version that ``sync`` has just served."""
        if getattr(self.sampler, "model", None) is self.model:
            raise ValueError("a sampler that shares the trainer's weights cannot sample while they change")
        self._last_step = last_step
        self._done = done
        self._dtype = self.model.dtype
        for step in range(done + 1, done + self.objective.staleness + 2):
            if step not in self._ready:
                self._order(step)

    def draw(self, step: int) -> Groups:
        """The step's groups, waited for. Raises what went wrong in the thread, and :class:`WeightSyncError` for rollouts
        of another version than the schedule's."""
        began = time.monotonic()
        drawn = self._take(step)
        rollouts, waited = drawn.rollouts, time.monotonic() - began
        expected = self.version_for(step)
        if found := {r.policy_version for r in rollouts} - {expected}:
            raise WeightSyncError(
                f"step {step}: rollouts of policy version {sorted(found)}, where the schedule has version {expected}"
            )
        self._probe = max(rollouts[: self.objective.samples_per_prompt], key=lambda r: len(r.ids))
        self._times = {
            "time/wait_s": waited,
            "time/generate_s": drawn.seconds,
            "time/overlap_s": max(0.0, drawn.seconds - waited),
        }
        return grouped(rollouts, self.objective.samples_per_prompt)

    def step(self, step: int) -> tuple[list[Group], dict[str, float]]:
        """See :meth:`GrpoTrainer.step`. ``time/overlap_s`` are seconds of sampling that nobody waited for."""
        groups, metrics = super().step(step)
        behind = [step - 1 - r.policy_version for g in groups for r in g.rollouts]
        lag = {"staleness": sum(behind) / len(behind), "staleness_max": float(max(behind))}
        return groups, metrics | lag | self._times

    def sync(self, version: int) -> dict[str, float]:
        """Hand on the policy as ``version``: at once before ``start``, afterwards when the sampler comes to it.

        Then the proof is still to come, and ends the run if it fails; there is no metric of it to return.
        """
        if not self._last_step:
            return super().sync(version)
        self._done = version
        step = version + 1 + self.objective.staleness
        if step <= self._last_step:
            probe = self._probe
            self._order(step, take_snapshot(self.engine, version, probe.prompt_ids, probe.ids))
        return {}

    def max_mismatch(self, step: int) -> float:
        """An older policy's probabilities are not the trainer's, and ought not to be; only a NaN is too far then."""
        stale = self.version_for(step) != step - 1
        return sys.float_info.max if stale else super().max_mismatch(step)

    def version_for(self, step: int) -> int:
        """The policy version that samples ``step``."""
        return max(0, step - 1 - self.objective.staleness)

    def save(self, directory: Path) -> None:
        """Into a checkpoint: the rollouts of coming steps, made by versions that are older than the checkpoint.

        Waits for them. What the checkpoint's own version samples is not among them: a resumed run samples it again.
        All ranks call it.
        """
        last = min(self._done + self.objective.staleness, self._last_step)
        for step in range(self._done + 1, last + 1):
            self._ready[step] = self._take(step)
        if self._ready:
            write_pending(directory / PENDING, {step: drawn.rollouts for step, drawn in self._ready.items()})

    def load(self, directory: Path) -> None:
        """Out of a checkpoint."""
        if (directory / PENDING).exists():
            self._ready |= {step: Drawn(found, 0.0) for step, found in read_pending(directory / PENDING).items()}

    def _order(self, step: int, snapshot: Snapshot | None = None) -> None:
        if step <= self._last_step:
            self._ordered[step] = self._thread.submit(self._make, step, snapshot)

    def _make(self, step: int, snapshot: Snapshot | None) -> Drawn:
        """In the thread: no collective, and nothing of the model that the trainer trains."""
        if snapshot is not None:
            serve_snapshot(self.sampler, snapshot, self._dtype)
        began = time.monotonic()
        drawn = self.share(self.prompts(step), self.objective.samples_per_prompt, "step", step)
        return Drawn(drawn, time.monotonic() - began)

    def _take(self, step: int) -> Drawn:
        """All ranks' rollouts of ``step``. The wait is bounded by the sampler's and the scorers' own clocks."""
        if step in self._ready:
            return self._ready.pop(step)
        drawn = self._ordered.pop(step).result()
        objective = self.objective
        return replace(
            drawn, rollouts=gathered(drawn.rollouts, objective.prompts_per_step, objective.samples_per_prompt)
        )
