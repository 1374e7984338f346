"""The bill: every metric by hand."""

import pytest

from r1flow.components.costs.bill import Rate, Spent, cost_metrics, spent, stage_bill, total_bill

RATE = Rate(price=2.0, watts=500.0)


def test_rl_steps_generate_and_train_and_sft_steps_train_alone():
    rl = [{"time/sample_s": 2.0, "time/score_s": 0.5, "time/update_s": 1.0, "time/step_s": 4.0, "tokens": 50.0}] * 2
    assert spent(rl, device="H100", devices=4, seconds=10) == Spent(
        "H100", 4, 40, {"sample": 16.0, "score": 4.0, "update": 8.0}, 100.0, 100.0
    )
    sft = [{"time/step_s": 3.0, "tokens": 20.0}]
    assert spent(sft, device="cpu", devices=1, seconds=5) == Spent("cpu", 1, 5, {"update": 3.0}, 0.0, 20.0)
    assert spent([{"sums/length": 3.0}], device="cpu", devices=1, seconds=5, evaluated=7.0).out == 7.0


def test_rl_steps_tell_their_work_and_memory():
    first = {"memory/start_gib": 0.25}
    steps = [
        {"work/tflop": 1.5, "work/prompt_tokens": 10.0, "memory/peak_gib": 0.5},
        {"work/tflop": 0.5, "work/prompt_tokens": 12.0, "memory/peak_gib": 1.0},
    ]
    found = spent([first, *steps], device="cpu", devices=1, seconds=1)
    assert (found.tflop, found.prompt, found.memory_gib) == (2.0, 11.0, 0.75)


def test_a_stage_s_money_and_energy_by_hand():
    cost = Spent("H100", 8, 7200.0, {"sample": 3600.0, "update": 1800.0}, out=2e6, read=1e6)
    line = stage_bill("r1_zero", cost, RATE, points=50.0)
    assert line["money"] == 4.0  # two hours at 2
    assert line["energy_kwh"] == 1.0  # two hours of 500 W
    assert line["per_million_out"] == 1.0  # an hour for two million
    assert line["per_million_in"] == 1.0  # half an hour for one million
    assert line["points"] == 50
    assert line["per_point"] == pytest.approx(0.08)


def test_a_stage_that_costs_points_has_no_price_for_one_and_an_unknown_price_is_none():
    line = stage_bill("dev1", Spent("H100", 1, 3600.0), RATE, points=-10.0)
    assert (line["points"], line["per_point"]) == (-10, None)
    alone = stage_bill("dev1", Spent("H100", 1, 3600.0), RATE)
    assert (alone["points"], alone["per_point"]) == (None, None)
    unknown = stage_bill("r1_zero", Spent("T4", 1, 3600.0, {"sample": 1.0}, 10.0), Rate(None, None), points=50.0)
    assert [unknown[name] for name in ("money", "energy_kwh", "per_million_out", "per_point")] == [None] * 4


def test_the_sum_is_over_all_and_points_are_those_of_the_last_model():
    first = Spent("H100", 1, 3600.0, {"sample": 1800.0}, out=1e6, read=1e6)
    second = Spent("H100", 1, 7200.0, {"sample": 1800.0, "update": 3600.0}, out=3e6, read=2e6)
    lines = [stage_bill("r1_zero", first, RATE), stage_bill("r1", second, RATE, points=5.0)]
    whole = total_bill(lines, points=60.0)
    assert whole["money"] == 6.0
    assert whole["phases"] == {"sample": 3600.0, "update": 3600.0}
    assert whole["per_million_out"] == pytest.approx(2.0 / 4)  # an hour for four million
    assert whole["per_million_in"] == pytest.approx(
        1.0
    )  # of the stage that has a phase for it: an hour for two million
    assert whole["points"] == 60
    assert whole["per_point"] == pytest.approx(0.1)
    assert cost_metrics(whole)["cost/sample_device_seconds"] == 3600.0


def test_one_unknown_part_makes_the_sum_unknown():
    lines = [stage_bill("r1", Spent("x", 1, 1.0), rate) for rate in (RATE, Rate(None, None))]
    assert total_bill(lines)["money"] is None


def test_a_step_whose_samples_came_earlier_is_a_step_of_rl() -> None:
    """Asynchronous rollouts may have been drawn in the step before."""
    found = spent([{"time/update_s": 1.0, "time/step_s": 3.0, "tokens": 9.0}], device="cpu", devices=1, seconds=3)
    assert (found.phases, found.out, found.read) == ({"update": 1.0}, 9.0, 9.0)
