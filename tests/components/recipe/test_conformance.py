"""Settings beside the paper's: verdicts, and a reason for every deviation of every preset."""

import pytest

from r1flow.components.recipe.conformance import ABSENT, AS, DEVIATES, conformance
from r1flow.components.recipe.presets import load_recipe
from r1flow.components.recipe.recipe import preset_names

RECIPES = [name for name in preset_names() if load_recipe(name).flow in ("r1", "r1_zero")]


def lines(*given):
    return {line.key: line for line in conformance(load_recipe(*given))}


@pytest.mark.parametrize("name", RECIPES)
def test_every_deviation_of_a_preset_has_its_reason(name):
    assert [line.key for line in lines(name).values() if line.verdict == DEVIATES and not line.reason] == []


@pytest.mark.parametrize("name", RECIPES)
def test_every_reason_of_a_preset_is_needed(name):
    recipe, found = load_recipe(name), lines(name)
    deviating = {key for key, line in found.items() if line.verdict == DEVIATES}
    idle = [
        name for name in recipe.deviations if not any(key == name or key.startswith(f"{name}.") for key in deviating)
    ]
    assert idle == []


def test_the_large_recipe_has_the_paper_s_updates():
    found = lines("r1-32b")
    assert (found["r1_zero.updates"].ours, found["r1_zero.updates"].verdict) == ("10,400", AS)
    assert found["r1_zero.update_batch"].verdict == AS
    assert found["r1_zero.reference_updates"].verdict == AS
    assert found["grpo.clip_high"].ours == "10"
    assert (found["grpo2.judges"].verdict, found["grpo2.judges"].ours) == (DEVIATES, "rules")


def test_a_setting_of_one_s_own_deviates_without_a_reason():
    changed = lines("r1-32b", ["r1_zero.temperature=0.9"])["r1_zero.temperature"]
    assert (changed.verdict, changed.paper, changed.ours, changed.reason) == (DEVIATES, "1", "0.9", "")
    given = lines("r1-32b", ["r1_zero.temperature=0.9", "deviations.r1_zero='mine'"])["r1_zero.temperature"]
    assert given.reason == "mine"


def test_stages_that_a_recipe_does_not_have_are_no_deviations():
    found = lines("r1-zero-7b")
    assert found["grpo.clip_low"].verdict == found["distill.epochs"].verdict == ABSENT
    assert found["suites.temperature"].verdict == AS


def test_all_suites_have_to_agree():
    found = lines("tiny")["suites.max_tokens"]
    assert (found.verdict, found.ours) == (DEVIATES, "60, 24")
