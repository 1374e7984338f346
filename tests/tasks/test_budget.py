"""A budget: it adds up stages, tells running ones to stop, and lets nothing begin that cannot be paid for."""

import json

import pytest

from r1flow.components.core.errors import BudgetExhausted, ConfigError
from r1flow.components.costs.bill import Rate
from r1flow.components.data.curation.pool import available
from r1flow.components.programs.spec import STOP
from r1flow.components.recipe.kinds import IMPLIED, STAGES
from r1flow.components.recipe.presets import load_recipe
from r1flow.components.recipe.settings import Settings
from r1flow.tasks.budget import Budget, Clock, devices_of, open_budget, slots_of, stage_cost


def test_what_all_stages_took_stops_those_that_run(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir(), second.mkdir()
    budget = Budget(device_hours=0.5)
    budget.runs("a", first)
    budget.runs("b", second)
    budget.took("a", 900.0)
    budget.took("a", 1000.0)  # so far, not besides
    assert not (first / STOP).exists()
    budget.ended("b")
    budget.took("b", 800.0)
    assert "0.5 device-hours are spent, run.budget.device_hours is 0.5" in (first / STOP).read_text()
    assert not (second / STOP).exists()
    with pytest.raises(BudgetExhausted, match="raise the budget"):
        budget.runs("c", second)
    assert Budget(device_hours=0.6).runs("a", first) is None
    assert not (first / STOP).exists()


def test_money_is_device_hours_times_the_price(tmp_path):
    budget = Budget(rate=Rate(2.0, None), money=1.0)
    budget.took("a", 1799.0)
    budget.runs("b", tmp_path)
    budget.took("a", 1800.0)
    assert (tmp_path / STOP).read_text().startswith("1 is spent, run.budget.money is 1")


def test_a_budget_has_the_recipe_s_device_and_budget(monkeypatch):
    recipe = load_recipe("smoke", ["run.budget.money=3", "run.threads=2"])
    budget = open_budget(recipe, Settings(prices={"cpu": 0.5}), "cpu")
    assert (budget.device, budget.rate.price, budget.money, budget.device_hours) == ("cpu", 0.5, 3.0, None)


def test_what_a_program_holds_follows_from_its_kind():
    run = load_recipe(
        "smoke", ["run.threads=2", "run.engine={kind='deepspeed', ranks=3, nodes=2, rendezvous='a:1'}"]
    ).run
    kinds = {**STAGES, **IMPLIED}
    on_cpu = {name: devices_of(kind, run, "cpu") for name, kind in kinds.items() if name != "curate"}
    assert on_cpu == {
        "pretrain": 2, "sft": 2, "rl": 12, "select": 2, "rate": 2, "import": 2, "suites": 2, "certify": 2, "gradient": 6,
        "evaluate": 2, "ledger": 2, "report": 2,
    }  # fmt: skip
    assert devices_of(kinds["curate"], run, "cpu") == available()
    on_cuda = {name: devices_of(kind, run, "cuda") for name, kind in kinds.items()}
    assert {name: num for name, num in on_cuda.items() if num != 1} == {"rl": 6, "gradient": 3}
    slots = {name: slots_of(kind, run) for name, kind in kinds.items()}
    assert {name: num for name, num in slots.items() if num} == {
        "pretrain": 1, "sft": 1, "rl": 6, "rate": 1, "gradient": 3, "evaluate": 1,
    }  # fmt: skip


def test_money_without_a_price_is_refused(monkeypatch):
    monkeypatch.setattr("r1flow.tasks.budget.describe_device", lambda: "nothing")
    with pytest.raises(
        ConfigError, match=r"run\.budget\.money: no price is known for an hour of 'nothing'; set R1_PRICES"
    ):
        open_budget(load_recipe("smoke", ["run.budget.money=3"]), Settings(), "cuda")


def test_seconds_go_on_over_tries(tmp_path):
    (tmp_path / "seconds.json").write_text(json.dumps({"seconds": 100.0}))
    assert Clock(tmp_path).seconds() > 100.0
    assert Clock(tmp_path).seconds() > 100.0
    assert Clock(tmp_path).seconds() < 200.0


def test_an_evaluation_s_tokens_come_from_its_figures(tmp_path):
    config = {"suites": {"sums": {"samples": 4}, "strings": {"samples": 2}}}
    metrics = {"sums/length": 10.0, "sums/problems": 3.0, "strings/length": 5.0, "strings/problems": 2.0}
    found = stage_cost(Budget(), 1, tmp_path, 2.0, config, metrics)
    assert (found.out, found.read, found.device_seconds) == (140.0, 0.0, 2.0)
    assert stage_cost(Budget(), 1, tmp_path, 2.0, config, {"kept": 5}).out == 0.0
