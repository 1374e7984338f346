import pytest

from r1flow.components.core.errors import ConfigError, DataError, ModelError
from r1flow.components.programs.admission import admit, admit_context, admit_reward_names
from r1flow.components.recipe.presets import load_recipe, make_recipe


def admitted(recipe):
    admit(recipe, recipe.graph)


def test_shipped_rewards_are_admitted_by_name() -> None:
    admitted(load_recipe("smoke", ["dev2.rewards.overlong=0.5", "r1.rewards.group_length=0.1"]))


@pytest.mark.parametrize("stage", ["r1_zero", "dev2", "r1", "student_rl"])
def test_a_reward_that_does_not_exist_is_refused_in_every_stage(stage: str) -> None:
    recipe = load_recipe("tiny", [f"{stage}.rewards.overlng=1"])
    for refuse in (admit_reward_names, admitted):
        with pytest.raises(ConfigError, match=rf"{stage}\.rewards\.overlng: .*; did you mean overlong\?"):
            refuse(recipe)


def test_a_reward_of_ones_own_is_looked_for_before_a_run_but_not_for_a_plan() -> None:
    recipe = load_recipe("tiny", ["dev2.rewards.no.such.module:reward=1"])
    admit_reward_names(recipe)
    with pytest.raises(ConfigError, match=r"no\.such\.module:reward.*cannot be imported"):
        admitted(recipe)


def test_only_what_is_to_be_computed_is_looked_at(tmp_path) -> None:
    recipe = load_recipe("tiny", ["dev2.rewards.no.such.module:reward=1", "student.source=/nowhere/at/all"])
    admit(recipe, recipe.graph.only(["r1_zero"]))
    with pytest.raises(ModelError, match=r"models\.student\.source"):
        admit(recipe, recipe.graph.only(["student"]))


def test_a_source_that_lies_nowhere_or_not_where_it_is_said_to_is_named_by_its_setting(tmp_path) -> None:
    with pytest.raises(
        ConfigError, match=r"problems\.sources\.aime\.uri, problems\.sources\.math\.uri, .*a path or URI"
    ):
        admitted(load_recipe("curate-math"))
    gone = {"mine": {"sources": {"s": {"uri": str(tmp_path / "gone.jsonl")}}}}
    with pytest.raises((ConfigError, DataError), match=r"mine\.sources\.s\.uri: .*gone\.jsonl"):
        admitted(make_recipe({"name": "x", "datasets": gone}))


def test_a_start_model_that_is_an_artifact_is_left_to_the_store() -> None:
    admitted(load_recipe("smoke", ["base.source=rl/0123abcd"]))


@pytest.mark.parametrize(
    ("override", "setting"),
    [
        ("dev2.max_tokens=128", r"stages\.dev2"),
        ("suites.sums.max_tokens=200", r"suites\.sums"),
        ("stages.rated={kind='rate', model='dev1', data='problems', samples=2, max_tokens=128}", r"stages\.rated"),
    ],
)
def test_a_length_that_leaves_no_room_for_any_prompt_is_refused_by_its_setting(override: str, setting: str) -> None:
    recipe = load_recipe("tiny", [override])
    with pytest.raises(
        ConfigError, match=rf"^{setting}\.max_tokens: \d+ leave no room for a prompt in the 128 positions of "
    ):
        admit_context(recipe, recipe.graph, {"base": 128, "student": 128})
    admit_context(recipe, recipe.graph, {"base": 201, "student": 201})
    admit_context(recipe, recipe.graph, {})
    admit_context(
        recipe, recipe.graph.only(["r1_zero"]) if "suites" not in override else recipe.graph.only([]), {"base": 128}
    )
