"""A purse: it adds up stages, tells running ones to stop, and lets nothing begin that cannot be paid for."""

import json

import pytest

from r1flow.components.core.errors import BudgetExhausted
from r1flow.components.costs.bill import Rate
from r1flow.components.programs.spec import STOP
from r1flow.components.recipe.presets import load_recipe
from r1flow.components.recipe.settings import Settings
from r1flow.tasks.purse import Clock, Purse, devices_of, open_purse, stage_cost


def test_what_all_stages_took_stops_those_that_run(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir(), second.mkdir()
    purse = Purse(device_hours=0.5)
    purse.runs("a", first)
    purse.runs("b", second)
    purse.took("a", 900.0)
    purse.took("a", 1000.0)  # so far, not besides
    assert not (first / STOP).exists()
    purse.ended("b")
    purse.took("b", 800.0)
    assert "0.5 device-hours are spent, run.budget.device_hours is 0.5" in (first / STOP).read_text()
    assert not (second / STOP).exists()
    with pytest.raises(BudgetExhausted, match="raise the budget"):
        purse.runs("c", second)
    assert Purse(device_hours=0.6).runs("a", first) is None
    assert not (first / STOP).exists()


def test_money_is_device_hours_times_the_price(tmp_path):
    purse = Purse(rate=Rate(2.0, None), money=1.0)
    purse.took("a", 1799.0)
    purse.runs("b", tmp_path)
    purse.took("a", 1800.0)
    assert (tmp_path / STOP).read_text().startswith("1 is spent, run.budget.money is 1")


def test_a_purse_has_the_recipe_s_device_and_budget(monkeypatch):
    recipe = load_recipe("smoke", ["run.budget.money=3", "run.threads=2"])
    purse = open_purse(recipe, Settings(prices={"cpu": 0.5}))
    assert (purse.device, purse.rate.price, purse.money, purse.device_hours) == ("cpu", 0.5, 3.0, None)
    assert (devices_of(recipe, "grpo"), devices_of(recipe, "sft")) == (2, 2)


def test_seconds_go_on_over_tries(tmp_path):
    (tmp_path / "seconds.json").write_text(json.dumps({"seconds": 100.0}))
    assert Clock(tmp_path).seconds() > 100.0
    assert Clock(tmp_path).seconds() > 100.0
    assert Clock(tmp_path).seconds() < 200.0


def test_an_evaluation_s_tokens_come_from_its_figures(tmp_path):
    config = {"suites": {"sums": {"samples": 4}, "strings": {"samples": 2}}}
    metrics = {"sums/length": 10.0, "sums/problems": 3.0, "strings/length": 5.0, "strings/problems": 2.0}
    found = stage_cost(Purse(), 1, tmp_path, 2.0, config, metrics)
    assert (found.out, found.read, found.device_seconds) == (140.0, 0.0, 2.0)
    assert stage_cost(Purse(), 1, tmp_path, 2.0, config, {"kept": 5}).out == 0.0


def test_the_budget_is_in_no_fingerprint():
    from r1flow.tasks.stage import Work

    plain, bounded = (
        Work("x", "sft", load_recipe("smoke", given), {}).settings() for given in ([], ["run.budget.money=1"])
    )
    assert plain == bounded
