import pytest

from r1flow.components.core.errors import ConfigError
from r1flow.components.programs.admission import admit_reward_names, admit_rewards
from r1flow.components.recipe.presets import load_recipe


def test_shipped_rewards_are_admitted_by_name() -> None:
    admit_rewards(load_recipe("smoke", ["grpo.rewards.overlong=0.5", "grpo2.rewards.group_length=0.1"]))


@pytest.mark.parametrize("section", ["r1_zero", "grpo", "grpo2", "student_rl"])
def test_a_reward_that_does_not_exist_is_refused_in_every_stage(section: str) -> None:
    recipe = load_recipe("tiny", [f"{section}.rewards.overlng=1"])
    for admit in (admit_reward_names, admit_rewards):
        with pytest.raises(ConfigError, match=rf"{section}\.rewards\.overlng: .*; did you mean overlong\?"):
            admit(recipe)


def test_a_reward_of_ones_own_is_looked_for_before_a_run_but_not_for_a_plan() -> None:
    recipe = load_recipe("tiny", ["grpo.rewards.no.such.module:reward=1"])
    admit_reward_names(recipe)
    with pytest.raises(ConfigError, match=r"no\.such\.module:reward.*cannot be imported"):
        admit_rewards(recipe)
