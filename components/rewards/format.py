"""The format reward: 1 for a completion of the agreed shape, else 0. An empty thought never has the shape.

Rewarding ``<think></think>`` teaches a model not to think, which is why emptiness is refused here.
"""

from collections.abc import Sequence
from typing import Literal, get_args

from components.data.schema import Row
from components.errors import ConfigError
from components.rewards.base import Reward
from components.rewards.thought import CLOSE, OPEN

FormatStyle = Literal["think", "think_answer"]


def has_format(completion: str, style: FormatStyle, *, prefilled: bool = False) -> bool:
    """Whether the whole completion has the shape of ``style``.

    * ``think``: ``<think>T</think>A``, with one pair of tags in all;
    * ``think_answer``: ``<think>T</think> <answer>A</answer>``, nothing else but white space around the four tags.

    T and A hold more than white space. With ``prefilled`` the prompt ends with ``<think>``, so the text starts in T.
    """
    text = completion.strip()
    if not prefilled:
        if not text.startswith(OPEN):
            return False
        text = text.removeprefix(OPEN)
    thought, _, answer = text.partition(CLOSE)
    if OPEN in text or CLOSE in answer or not thought.strip():
        return False
    answer = answer.strip()
    if style == "think_answer":
        if thought.count("<answer>") or thought.count("</answer>"):
            return False
        if not (answer.startswith("<answer>") and answer.endswith("</answer>")):
            return False
        answer = answer.removeprefix("<answer>").removesuffix("</answer>").strip()
        if "<answer>" in answer or "</answer>" in answer:
            return False
    return bool(answer)


def format_reward(style: FormatStyle, *, prefilled: bool = False) -> Reward:
    """The reward of ``style``; ConfigError for a style that does not exist."""
    if style not in get_args(FormatStyle):
        raise ConfigError(f"format style {style!r} is not one of {', '.join(get_args(FormatStyle))}")

    def reward(completions: Sequence[str], examples: Sequence[Row]) -> list[float | None]:
        return [float(has_format(text, style, prefilled=prefilled)) for text in completions]

    return reward
