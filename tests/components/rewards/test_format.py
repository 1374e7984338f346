import pytest

from r1flow.components.core.errors import ConfigError
from r1flow.components.rewards.base import RewardBatch
from r1flow.components.rewards.format import format_reward, has_code_block, has_format
from r1flow.components.rewards.tags import tag_count


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
    assert format_reward("think")(RewardBatch(["<think>a</think>2", "<think></think>2"])) == [1.0, 0.0]


def test_an_unknown_style_is_refused() -> None:
    with pytest.raises(ConfigError, match="think, think_answer"):
        format_reward("xml")  # type: ignore[arg-type]


STRICT = "<think>\na\n</think>\n<answer>\n2\n</answer>"


def test_the_strict_format_wants_each_tag_on_its_line_and_nothing_around() -> None:
    assert has_format(STRICT, "think_answer_strict")
    for text in (
        STRICT.replace("\n", ""),
        STRICT + "\n",
        " " + STRICT,
        STRICT.replace("</think>\n", "</think>\n\n"),
        STRICT.replace("a", " "),
        STRICT.replace("2", " "),
        STRICT + "\n" + STRICT,
        STRICT.replace("a", "<think>\nb"),
        "<think>\n</think>\n<answer>\n2\n</answer>",
    ):
        assert not has_format(text, "think_answer_strict"), text


@pytest.mark.parametrize("text", ["a\n</think>\n<answer>\n2\n</answer>", "\na\n</think>\n<answer>\n2\n</answer>"])
def test_the_strict_format_knows_a_prefilled_thought(text: str) -> None:
    assert has_format(text, "think_answer_strict", prefilled=True)
    assert not has_format(text, "think_answer_strict")
    assert not has_format(STRICT, "think_answer_strict", prefilled=True)
    assert not has_format(text.replace("a", ""), "think_answer_strict", prefilled=True)


def test_a_code_block_counts_in_the_answer_alone() -> None:
    block = "```python\nx = 1\n```"
    assert has_code_block(f"<think>a</think><answer>so\n{block}</answer>", "python")
    assert has_code_block(f"a</think><answer>{block}</answer>", "python", prefilled=True)
    for text in (
        block,
        f"<think>{block}</think><answer>x</answer>",
        f"<think>a</think>{block}",
        f"<think> </think><answer>{block}</answer>",
        "<think>a</think><answer>```python\n \n```</answer>",
        "<think>a</think><answer>```python\nx = 1</answer>",
        "<think>a</think><answer>```python3\nx = 1\n```</answer>",
    ):
        assert not has_code_block(text, "python"), text


@pytest.mark.parametrize(
    ("text", "credit"),
    [
        (STRICT, 1.0),
        ("2", 0.0),
        ("<think>\na", 0.25),
        ("<think>\na\n</think>\n2", 0.5),
        ("\n<answer>\n2\n</answer>", 0.5),
        (STRICT + "\n</answer>", 0.75),
        (STRICT + STRICT, 0.0),
        ("<think>\n\n</think>\n<answer>\n2\n</answer>", 0.0),
        ("<think>\n<answer>\n2\n</answer>", 0.0),
        ("<think>\n", 0.0),
        ("<think>\na\n</answer>\n<answer>\n2\n</think>\n", 0.5),
    ],
)
def test_tags_earn_a_quarter_each_once_and_in_order(text: str, credit: float) -> None:
    assert tag_count(text) == credit


def test_a_prefilled_tag_is_counted_and_an_empty_thought_behind_it_is_not() -> None:
    assert tag_count("a\n</think>\n<answer>\n2\n</answer>", prefilled=True) == 1.0
    assert tag_count("\n</think>\n<answer>\n2\n</answer>", prefilled=True) == 0.0
    assert tag_count(STRICT, prefilled=True) == 0.0
    assert tag_count("", prefilled=True) == 0.0
