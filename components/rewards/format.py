"""The format reward: 1 for a completion of the agreed shape, else 0. An empty thought never has the shape.

Rewarding ``<think></think>`` teaches a model not to think, which is why emptiness is refused here.
"""

import re
from typing import Literal, get_args

from r1flow.components.core.errors import ConfigError
from r1flow.components.rewards.base import Reward, RewardBatch
from r1flow.components.rewards.thought import CLOSE, OPEN

FormatStyle = Literal["think", "think_answer", "think_answer_strict"]

_ANSWER_OPEN, _ANSWER_CLOSE = "<answer>", "</answer>"


def has_format(completion: str, style: FormatStyle, *, prefilled: bool = False) -> bool:
    """Whether the whole completion has the shape of ``style``.

    * ``think``: ``<think>T</think>A``, with one pair of tags in all;
    * ``think_answer``: ``<think>T</think> <answer>A</answer>``, nothing else but white space around the four tags;
    * ``think_answer_strict``: the same with each tag on a line of its own, and nothing around:
      ``<think>\\nT\\n</think>\\n<answer>\\nA\\n</answer>`` (open-r1's format reward).

    T and A hold more than white space. With ``prefilled`` the prompt ends with ``<think>``, so the text starts in T;
    the line end behind that tag may then stand in either.
    """
    if style == "think_answer_strict" and not _has_tag_lines(completion, prefilled=prefilled):
        return False
    return _answer_in_shape(completion, style, prefilled=prefilled) is not None


def has_code_block(completion: str, language: str, *, prefilled: bool = False) -> bool:
    """Whether the completion has the shape ``think_answer`` and its answer a closed fenced block marked ``language``.

    A block in the thought alone is none, and neither is an empty one.
    """
    answer = _answer_in_shape(completion, "think_answer", prefilled=prefilled)
    return answer is not None and any(
        marker.strip() == language and code.strip() for marker, code in re.findall(r"```([^\n`]*)\n([^`]*)```", answer)
    )


def format_reward(style: FormatStyle) -> Reward:
    """The reward of ``style``; ConfigError for a style that does not exist."""
    if style not in get_args(FormatStyle):
        raise ConfigError(f"format style {style!r} is not one of {', '.join(get_args(FormatStyle))}")

    def reward(batch: RewardBatch) -> list[float]:
        return [float(has_format(text, style, prefilled=batch.prefilled)) for text in batch.texts]

    return reward


def _answer_in_shape(completion: str, style: FormatStyle, *, prefilled: bool) -> str | None:
    """The answer, where the completion has the shape apart from the places of line ends; else None."""
    text = completion.strip()
    if not prefilled:
        if not text.startswith(OPEN):
            return None
        text = text.removeprefix(OPEN)
    thought, _, answer = text.partition(CLOSE)
    if OPEN in text or CLOSE in answer or not thought.strip():
        return None
    answer = answer.strip()
    if style != "think":
        if _ANSWER_OPEN in thought or _ANSWER_CLOSE in thought:
            return None
        if not (answer.startswith(_ANSWER_OPEN) and answer.endswith(_ANSWER_CLOSE)):
            return None
        answer = answer.removeprefix(_ANSWER_OPEN).removesuffix(_ANSWER_CLOSE).strip()
        if _ANSWER_OPEN in answer or _ANSWER_CLOSE in answer:
            return None
    return answer or None


def _has_tag_lines(completion: str, *, prefilled: bool) -> bool:
    between, end = f"\n{CLOSE}\n{_ANSWER_OPEN}\n", f"\n{_ANSWER_CLOSE}"
    return (prefilled or completion.startswith(f"{OPEN}\n")) and between in completion and completion.endswith(end)
