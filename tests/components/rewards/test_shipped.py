"""Every shipped shaping reward, as a recipe names it, on one batch of two groups."""

import math

import pytest

from r1flow.components.core.errors import ConfigError
from r1flow.components.core.verdict import Verdict
from r1flow.components.recipe.rewards import ShapingConfig
from r1flow.components.rewards.base import RewardBatch, Shaping
from r1flow.components.rewards.shipped import SHIPPED, check_names

RIGHT, WRONG = Verdict.CORRECT, Verdict.WRONG
BATCH = RewardBatch(
    ["<think>\na\n</think>\n<answer>\n2\n</answer>", "<think>\nso so so so", "a b c a b c a b c", ""],
    lengths=[10, 20, 15, 15],
    groups=[0, 0, 1, 1],
    verdicts=[RIGHT, WRONG, RIGHT, None],
    max_tokens=20,
    shaping=Shaping(overlong_share=0.5, ngram=2),
)
THREE_QUARTERS = 0.25 * (1 - math.sqrt(0.5))
"""A quarter of 1 + cos(3 pi / 4): 15 of 20 tokens."""

GOLDEN = {
    "tags": [1.0, 0.25, 0.0, 0.0],
    "overlong": [0.0, -1.0, -0.5, -0.5],
    "cosine_length": [0.75, -0.5, 0.5 + THREE_QUARTERS, -0.5 - THREE_QUARTERS],
    "repetition": [0.0, -1 / 2, -5 / 8, 0.0],
    "group_length": [0.5, -0.5, 0.0, 0.0],
}
"""By hand from each reward's formula. `repetition` counts pairs of words: 2 of 4, then 3 of 8 are distinct."""


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_reward_has_its_formulas_values(name: str) -> None:
    assert SHIPPED[name](BATCH) == pytest.approx(GOLDEN[name], abs=1e-12)


def test_groups_are_found_wherever_their_completions_stand() -> None:
    batch = RewardBatch(["", "", "", ""], lengths=[10, 30, 20, 50], groups=[7, 3, 7, 3], verdicts=[RIGHT] * 4)
    assert batch.members() == [[0, 2], [1, 3]]
    assert SHIPPED["group_length"](batch) == [0.5, 0.5, -0.5, -0.5]


def test_a_prefilled_tag_is_there() -> None:
    text = "a\n</think>\n<answer>\n2\n</answer>"
    assert SHIPPED["tags"](RewardBatch([text], prefilled=True)) == [1.0]
    assert SHIPPED["tags"](RewardBatch([text])) == [0.75]


def test_the_last_stretch_has_a_token_at_least() -> None:
    assert SHIPPED["overlong"](RewardBatch(["", ""], lengths=[0, 1])) == [0.0, -1.0]


def test_an_empty_batch_earns_nothing() -> None:
    assert all(reward(RewardBatch([])) == [] for reward in SHIPPED.values())


@pytest.mark.parametrize("name", ["rows", "lengths", "groups", "verdicts"])
def test_a_batch_has_as_many_of_everything(name: str) -> None:
    with pytest.raises(ValueError, match=f"2 completions for 1 {name}"):
        RewardBatch(["a", "b"], **{name: [1]})


def test_parameters_default_as_their_settings_do() -> None:
    assert Shaping(**ShapingConfig().model_dump()) == Shaping()


def test_a_name_that_no_reward_has_is_refused_with_the_likely_one() -> None:
    check_names(["accuracy", "tags", "own:reward"], own=["own:reward"])
    with pytest.raises(
        ConfigError, match=r"grpo\.rewards\.overlng: no reward is called 'overlng'; did you mean overlong\?"
    ):
        check_names(["accuracy", "overlng"], setting="grpo.rewards")
    with pytest.raises(
        ConfigError, match=r"there are accuracy, format, language, tags, .* or your own as 'module:function'"
    ):
        check_names(["speed"])
