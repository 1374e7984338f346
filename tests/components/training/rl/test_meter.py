"""What a step costs, beside what it computes."""

import time

import pytest

from r1flow.components.core.rollout import Group
from r1flow.components.training.engines import machine
from r1flow.components.training.rl.flops import group_flops
from r1flow.components.training.rl.meter import Meter, cost_of, reproducible
from tests.fakes.tiny import make_rollout, tiny_model

GROUPS = [Group((make_rollout([2, 3], [4, 5]), make_rollout([2, 3], [4, 5, 6])), (1.0, 0.0))]
COST = cost_of(tiny_model())
ALL = group_flops(COST, 2, [2, 3])


def test_a_phase_that_comes_twice_is_added_up_and_the_next_step_begins_at_nothing():
    meter = Meter(tiny_model())
    for _ in range(2):
        with meter.phase("sample"):
            time.sleep(0.01)
    metrics = meter.metrics(GROUPS, frozen_passes=0, idle_moves=False)
    assert metrics["time/step_s"] >= metrics["time/sample_s"] >= 0.02
    assert metrics["time/tokens_per_s"] == pytest.approx(5 / metrics["time/step_s"])
    meter.begin()
    assert "time/sample_s" not in meter.metrics(GROUPS, frozen_passes=0, idle_moves=False)


@pytest.mark.parametrize(
    ("idle_moves", "frozen", "flops"),
    [(False, 0, ALL + 3 * group_flops(COST, 2, [2])), (True, 0, 4 * ALL), (True, 2, 6 * ALL)],
)
def test_utilisation_is_needed_operations_over_seconds_and_peak_rate(idle_moves, frozen, flops):
    model = tiny_model()
    metrics = Meter(model).metrics(GROUPS, frozen_passes=frozen, idle_moves=idle_moves)
    peak = machine.peak_flops(model.device, model.dtype)
    assert metrics["time/mfu"] == pytest.approx(flops / (metrics["time/step_s"] * peak))


def test_everything_that_the_machine_decides_can_be_told_by_its_name():
    meter = Meter(tiny_model())
    with meter.phase("update"):
        pass
    metrics = meter.metrics(GROUPS, frozen_passes=0, idle_moves=False)
    assert metrics["memory/peak_gib"] > 0.01
    assert reproducible(metrics | {"loss": 1.0}) == {"loss": 1.0}
