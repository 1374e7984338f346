import pytest

from r1flow.components.core.errors import ConfigError
from r1flow.components.recipe.presets import load_recipe
from r1flow.components.recipe.recipe import Recipe
from r1flow.components.recipe.stages import RlStage


def dev2(recipe: Recipe) -> RlStage:
    stage = recipe.stages["dev2"]
    assert isinstance(stage, RlStage)
    return stage


def test_an_engine_over_ranks_is_read() -> None:
    recipe = load_recipe("tiny", ["run.engine.kind=deepspeed", "run.engine.ranks=2", "run.engine.zero_stage=3"])
    assert (recipe.run.engine.ranks, recipe.run.engine.zero_stage) == (2, 3)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (["ranks=2"], "belong to kind = 'deepspeed'"),
        (["offload=optimizer"], "moves the fp32 masters of dtype = 'bfloat16'"),
        (["dtype=bfloat16", "offload=all"], "needs kind = 'deepspeed'"),
        (["kind=deepspeed", "zero_stage=0", "dtype=bfloat16"], "sums bfloat16 gradients in bfloat16"),
        (["kind=deepspeed", "zero_stage=0", "offload=optimizer"], "offload needs zero_stage 1, 2 or 3"),
        (["kind=deepspeed", "offload=all"], "needs zero_stage = 3"),
        (["kind=deepspeed", "nodes=2"], "needs rendezvous or hostfile"),
        (["kind=deepspeed", "rendezvous='a:1'", "hostfile='h'"], "exclude each other"),
        (["kind=horovod"], "run.engine.kind"),
    ],
)
def test_what_does_not_go_together_is_refused_with_the_reason(settings: list[str], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        load_recipe("tiny", [f"run.engine.{setting}" for setting in settings])


def test_a_correction_without_anything_to_correct_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^stages.dev2.correction: it needs another sampler than 'transformers'"):
        load_recipe("tiny", ["run.sampler=transformers", "dev2.correction=tis"])


def test_a_correction_of_what_an_older_policy_has_sampled_is_not() -> None:
    stage = dev2(load_recipe("tiny", ["run.sampler=transformers", "dev2.staleness=1"]))
    assert (stage.staleness, stage.correction) == (1, "tis")


def test_one_process_may_compute_in_bfloat16_which_is_something_to_correct() -> None:
    recipe = load_recipe("tiny", ["run.engine.dtype=bfloat16", "run.sampler=transformers", "dev2.correction=tis"])
    assert (recipe.run.engine.kind, recipe.run.engine.dtype) == ("single", "bfloat16")


def test_a_custom_reward_keeps_the_dots_of_its_name() -> None:
    for key in ("dev2.rewards", "stages.dev2.rewards"):
        rewards = dev2(load_recipe("tiny", [f"{key}.mypkg.mymodule:my_reward=0.5"])).rewards
        assert rewards.weights()["mypkg.mymodule:my_reward"] == 0.5
        assert rewards.custom == ("mypkg.mymodule:my_reward",)


def test_a_shaping_reward_is_a_weight_under_its_name_and_may_be_a_gate() -> None:
    rewards = dev2(load_recipe("tiny", ["dev2.rewards.tags=0", "dev2.reward_gates.format=tags"])).rewards
    assert rewards.weights() == {"accuracy": 1.0, "format": 1.0, "language": 1.0, "tags": 0.0}
    assert rewards.custom == ()


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ("dev2.rewards.my-reward=1", "'my-reward' cannot be the name of a reward"),
        ("dev2.rewards.overlong=much", "dev2.rewards.overlong: input should be a valid number"),
        ("dev2.rewards.overlong=-1", "dev2.rewards.overlong: input should be greater than or equal to 0"),
        ("dev2.rewards.accuracy=0", "accuracy must have a weight"),
        ("dev2.reward_gates.language=speed", "reward_gates names speed"),
    ],
)
def test_rewards_that_cannot_be_are_refused(setting: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        load_recipe("tiny", [setting])


def test_a_language_that_nobody_can_measure_is_refused() -> None:
    with pytest.raises(ConfigError, match="xx"):
        load_recipe("qwen2.5-0.5b-gsm8k", ["base.language.target=xx"])
