"""A step that fails on non-finite gradients leaves its groups and metrics, and the error says where."""

import json
import math
from dataclasses import replace

import pytest

from r1flow.components.core.errors import NumericsError, WeightSyncError
from r1flow.components.programs.failed_batch import saving_failed_batch
from r1flow.components.store.rollouts import lake
from r1flow.components.training.engines.single import SingleEngine
from tests.components.training.rl.test_trainer import OBJECTIVE, make_trainer


class Breaks(SingleEngine):
    """Its gradients are not numbers."""

    def backward(self, loss):
        super().backward(loss * math.nan)


def broken_trainer():
    trainer = make_trainer(replace(OBJECTIVE, mini_batches=2))
    trainer.engine = Breaks(trainer.model, lambda step: 1e-2, max_skipped=3)
    return trainer


def test_the_fourth_gradient_in_a_row_that_is_not_finite_leaves_its_batch_behind(tmp_path):
    trainer = broken_trainer()
    with saving_failed_batch(tmp_path, trainer, 1):
        groups, metrics = trainer.step(1)
    assert metrics["skipped"] == 1
    assert list(tmp_path.iterdir()) == []
    place = tmp_path / "failed-step-000002"
    with (
        pytest.raises(NumericsError, match=rf"4 gradients in a row .* The batch of step 2 is in {place}$"),
        saving_failed_batch(tmp_path, trainer, 2),
    ):
        trainer.step(2)
    rows = list(lake.read(place / "lake", ["prompt_id", "ids", "advantage", "logprobs"]))
    kept = [
        (r.prompt_id, list(r.ids), a) for g in trainer.groups for r, a in zip(g.rollouts, g.advantages, strict=True)
    ]
    assert [(row["prompt_id"], row["ids"], row["advantage"]) for row in rows] == kept
    assert {row["step"] for row in rows} == {2}
    assert kept != [
        (r.prompt_id, list(r.ids), a) for g in groups for r, a in zip(g.rollouts, g.advantages, strict=True)
    ]
    metrics = json.loads((place / "metrics.json").read_text())
    assert metrics["step"] == 2
    assert "4 gradients in a row" in metrics["error"]
    assert metrics["reward"] == pytest.approx(
        sum(r.reward or 0 for g in trainer.groups for r in g.rollouts) / 12, abs=1
    )


def test_other_errors_pass_through_and_leave_nothing(tmp_path):
    with pytest.raises(WeightSyncError), saving_failed_batch(tmp_path, broken_trainer(), 1):
        raise WeightSyncError("stale")
    assert list(tmp_path.iterdir()) == []
