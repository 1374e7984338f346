"""Settings beside the paper's: verdicts, and a reason for every deviation of every preset."""

import pytest

from r1flow.components.recipe.conformance import ABSENT, AS, DEVIATES, conformance
from r1flow.components.recipe.presets import load_recipe, make_recipe, preset_names

RECIPES = [name for name in preset_names() if "r1_zero" in load_recipe(name).stages]


def lines(*given):
    return {line.key: line for line in conformance(load_recipe(*given))}


def test_these_are_the_recipes_with_a_line_for_the_paper():
    assert RECIPES == ["qwen2.5-0.5b-gsm8k", "qwen2.5-1.5b-math", "r1-32b", "r1-zero-7b", "smoke", "tiny"]


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
    assert found["dev2.clip_high"].ours == "10"
    assert (found["r1.judges"].verdict, found["r1.judges"].ours) == (DEVIATES, "rules")


def test_a_setting_of_one_s_own_deviates_without_a_reason():
    changed = lines("r1-32b", ["r1_zero.temperature=0.9"])["r1_zero.temperature"]
    assert (changed.verdict, changed.paper, changed.ours, changed.reason) == (DEVIATES, "1", "0.9", "")
    given = lines("r1-32b", ["r1_zero.temperature=0.9", "deviations.r1_zero='mine'"])["r1_zero.temperature"]
    assert given.reason == "mine"


def test_stages_that_a_recipe_does_not_have_are_no_deviations():
    found = lines("r1-zero-7b")
    assert found["dev2.clip_low"].verdict == found["distilled.epochs"].verdict == ABSENT
    assert found["suites.temperature"].verdict == AS


def test_all_suites_have_to_agree():
    found = lines("tiny")["suites.max_tokens"]
    assert (found.verdict, found.ours) == (DEVIATES, "60, 24")


def test_general_data_is_a_share_of_the_set_whether_it_is_given_as_rows_or_as_one():
    rows = lines("tiny")["teaching.share"]  # 1,000 beside 3,000
    assert (rows.verdict, rows.ours) == (AS, "0.25")
    share = lines("tiny", ["teaching.mix.general={share=0.3}"])["teaching.share"]
    assert (share.verdict, share.ours) == (DEVIATES, "0.3")


def test_the_prompt_is_compared_at_the_model_that_has_it():
    found = lines("tiny")["base.prompt.template"]
    assert (found.verdict, found.ours) == (DEVIATES, "tiny")


def test_a_stage_of_another_kind_under_a_name_of_the_paper_s_has_no_such_line():
    assert lines("tiny-base")["base.source"].verdict == ABSENT
    sft = {"kind": "sft", "model": "dev2", "data": "teaching", "learning_rate": 1e-3}
    made = make_recipe({"preset": "tiny", "stages": {"r1": sft}})
    found = {line.key: line.verdict for line in conformance(made)}
    assert found["r1.temperature"] == found["r1.updates"] == found["r1.judges"] == ABSENT
    assert found["r1.learning_rate"] == DEVIATES
