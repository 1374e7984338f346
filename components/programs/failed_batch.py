"""What a training step that fails on non-finite numbers leaves behind: its groups and metrics, to look for the cause in."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from r1flow.components.core.errors import NumericsError
from r1flow.components.core.spool import clean
from r1flow.components.store.rollouts import lake
from r1flow.components.training.engines import ranks
from r1flow.components.training.rl.metrics import rollout_metrics
from r1flow.components.training.rl.trainer import GrpoTrainer


@contextmanager
def saving_failed_batch(work: Path, trainer: GrpoTrainer, step: int) -> Iterator[None]:
    """Let a :class:`NumericsError` of the with-block name ``work/failed-step-N``, which holds the batch.

    ``lake/`` has the groups with the sampler's log-probabilities and the advantages, as the lake of a good step has;
    ``metrics.json`` the error and the metrics of the rollouts. The directory stays until the stage has succeeded.
    """
    try:
        yield
    except NumericsError as error:
        directory = work / f"failed-step-{step:06d}"
        if ranks.rank() == 0:
            _save(directory, trainer, step, str(error))
        raise NumericsError(f"{error} The batch of step {step} is in {directory}") from error


def _save(directory: Path, trainer: GrpoTrainer, step: int, error: str) -> None:
    lake.write_shard(directory / "lake" / lake.shard_name(step, step), [(step, trainer.groups)])
    metrics = {"step": step, "error": error, **clean(rollout_metrics(trainer.groups))}
    (directory / "metrics.json").write_text(json.dumps(metrics, indent=1))
