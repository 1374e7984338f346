import pytest

from components.errors import ConfigError
from components.rewards.format import format_reward, has_format


@pytest.mark.parametrize(
    "text", ["<think>1+1=2</think>2", " <think>a\nb</think>\n\nanswer", "<think>a</think><answer>2</answer>"]
)
def test_one_thought_and_an_answer_have_the_think_format(text: str) -> None:
    assert has_format(text, "think")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2",
        "<think></think>2",
        "<think> \n</think>2",
        "<think>a</think>",
        "<think>a</think>  ",
        "<think>a",
        "a</think>2",
        "x<think>a</think>2",
        "<think>a</think>2<think>b</think>3",
        "<think><think>a</think>2",
        "<think>a</think></think>2",
        "</think><think>2",
    ],
)
def test_everything_else_has_not(text: str) -> None:
    assert not has_format(text, "think")


def test_a_prefilled_thought_starts_without_its_tag() -> None:
    assert has_format("1+1=2</think>2", "think", prefilled=True)
    assert not has_format("<think>1+1=2</think>2", "think", prefilled=True)
    assert not has_format("</think>2", "think", prefilled=True)
    assert has_format("a</think> <answer>2</answer>", "think_answer", prefilled=True)


def test_the_think_answer_format_spans_the_whole_text() -> None:
    assert has_format("<think>a</think> <answer>2</answer>", "think_answer")
    assert has_format("<think>\na\n</think>\n<answer>\n2\n</answer>\n", "think_answer")
    for text in (
        "<think>a</think>2",
        "<think>a</think><answer></answer>",
        "<think> </think><answer>2</answer>",
        "<think>a</think>so<answer>2</answer>",
        "<think>a</think><answer>2</answer>.",
        "<think>a</think><answer>2</answer><answer>3</answer>",
        "<think>a<answer>1</answer></think><answer>2</answer>",
        "<answer>2</answer><think>a</think>",
        "<think>a</think><answer>",
    ):
        assert not has_format(text, "think_answer"), text


def test_the_reward_is_one_or_nought() -> None:
    assert format_reward("think")(["<think>a</think>2", "<think></think>2"], []) == [1.0, 0.0]


def test_an_unknown_style_is_refused() -> None:
    with pytest.raises(ConfigError, match="think, think_answer"):
        format_reward("xml")  # type: ignore[arg-type]
