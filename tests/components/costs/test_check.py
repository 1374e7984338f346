"""The plan beside what a run took: the same arithmetic as before the run, at the lengths that came out."""

from dataclasses import replace

import pytest

from r1flow.components.costs.bill import Spent
from r1flow.components.costs.check import checks
from r1flow.components.costs.preset import models_of, stages_of
from r1flow.components.costs.work import Lengths, rl_work
from r1flow.components.evals.report.names import Names
from r1flow.components.evals.report.planned import COLUMNS, planned_table
from r1flow.components.recipe.presets import load_recipe

ZERO = Spent("cpu", 1, 90.0, {"sample": 40.0, "update": 20.0}, 400_000.0, 400_000.0, 3.0, 11.0, 0.2)


def test_the_first_stage_sets_the_rate_and_the_others_are_held_against_it():
    recipe = load_recipe("tiny")
    zero, second = checks(recipe, {"dev2": replace(ZERO, out=200_000.0), "r1_zero": ZERO, "dev1": Spent("cpu", 1, 9.0)})
    assert (zero.stage, second.stage) == ("r1_zero", "dev2")
    assert zero.seconds is None
    planned = {stage.name: stage for stage in stages_of(recipe, Lengths())}
    config = planned["dev2"].config
    completions = config.steps * config.prompts_per_step * config.samples_per_prompt
    work = rl_work("dev2", config, planned["dev2"].model, Lengths(11.0, 200_000 / completions))
    config = planned["r1_zero"].config
    completions = config.steps * config.prompts_per_step * config.samples_per_prompt
    first = rl_work("r1_zero", config, planned["r1_zero"].model, Lengths(11.0, 400_000 / completions))
    assert second.tflop == pytest.approx((work.sampling + work.training) / 1e12)
    expected = 40 * work.sampling / first.sampling + 20 * work.training / first.training
    assert second.seconds == pytest.approx(expected)
    assert zero.tokens == completions * config.max_tokens
    longest = next(stage for stage in stages_of(recipe, Lengths(11.0)) if stage.name == "r1_zero")
    assert zero.memory == pytest.approx(longest.memory().process / 2**30)


def test_every_model_has_a_rate_of_its_own():
    found = checks(load_recipe("tiny"), dict.fromkeys(("r1_zero", "dev2", "student_rl"), ZERO))
    assert [line.seconds is None for line in found] == [True, False, True]


def test_a_model_that_was_counted_is_checked_like_one_of_a_known_shape():
    recipe = load_recipe("tiny", ["base.source=./elsewhere"])
    known = models_of(load_recipe("tiny"))
    assert [line.stage for line in checks(recipe, dict.fromkeys(("r1_zero", "student_rl"), ZERO))] == ["student_rl"]
    found = checks(recipe, dict.fromkeys(("r1_zero", "student_rl"), ZERO), known)
    assert found == checks(load_recipe("tiny"), dict.fromkeys(("r1_zero", "student_rl"), ZERO))


def test_what_was_not_counted_is_left_out():
    """An artifact of before this was counted; a recipe without RL on a known shape."""
    assert checks(load_recipe("tiny"), {"r1_zero": replace(ZERO, tflop=0.0)}) == []
    assert checks(load_recipe("curate-math"), {"r1_zero": ZERO}) == []


def test_the_table_has_a_cell_for_every_column():
    recipe = load_recipe("tiny")
    names = Names({name: recipe.title(name) for name in recipe.graph.nodes})
    rows = planned_table([vars(line) for line in checks(recipe, {"r1_zero": ZERO, "dev2": ZERO})], names)
    assert [name for name, _ in rows] == ["R1-Zero", "Dev2 (reasoning RL)"]
    assert all(len(cells) == len(COLUMNS) for _, cells in rows)
    assert rows[0][1][7:] == ["sets the rate", "60.0", ""]
