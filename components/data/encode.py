"""From a row to the token ids that a model is given: rendered, begun as the tokenizer begins any text, people's text as text."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from r1flow.components.core.errors import DataError
from r1flow.components.core.schema import Message
from r1flow.components.data.chat import render
from r1flow.components.data.literal import Rendered, encode, hide

if TYPE_CHECKING:
    from r1flow.components.recipe.models import PromptConfig


def encode_prompt(tokenizer: Any, asked: "str | PromptConfig", prompt: str | Sequence[Message]) -> tuple[int, ...]:
    """The token ids of a question, or of a conversation that ends with one, rendered as ``asked`` says.

    The one way in which training, evaluation and sampling make prompts. DataError for what cannot be rendered or encoded.
    """
    return begun(tokenizer, encode(tokenizer, rendered(tokenizer, asked, prompt)))


def rendered(tokenizer: Any, asked: "str | PromptConfig", prompt: str | Sequence[Message]) -> Rendered:
    """The text before the completion, control strings of people's text marked."""
    turns = [Message(role="user", content=prompt)] if isinstance(prompt, str) else prompt
    marked, hidden = hide(tokenizer, [{"role": turn.role, "content": turn.content} for turn in turns])
    whole = render(asked, prompt, tokenizer)
    if not hidden:
        return Rendered(whole)
    said = [Message.model_validate(turn) for turn in marked]
    found = Rendered(render(asked, said[0].content if isinstance(prompt, str) else said, tokenizer), hidden)
    return same_as(found, whole)


def same_as(found: Rendered, whole: str) -> Rendered:
    """``found``, if it says what was rendered without marks; DataError for a template that asks what people wrote."""
    if found.plain != whole:
        raise DataError(
            f"the template writes a text otherwise where it contains {', '.join(map(repr, sorted(found.hidden.values())))}, a "
            "control token of this tokenizer; take it out of the row"
        )
    return found


def encode_completion(tokenizer: Any, text: str) -> tuple[int, ...]:
    """The token ids of what an assistant wrote; tags such as ``<think>`` stay their tokens, other special tokens are text."""
    (turn,), hidden = hide(tokenizer, [{"role": "assistant", "content": text}])
    return encode(tokenizer, Rendered(turn["content"], hidden))


@lru_cache(maxsize=8)
def beginning(tokenizer: Any) -> tuple[int, ...]:
    """What the tokenizer puts before any text of its own accord: a beginning-of-sequence token, or nothing."""
    plain, bare = (list(tokenizer("x", add_special_tokens=special)["input_ids"]) for special in (True, False))
    places = range(len(plain) - len(bare) + 1)
    return tuple(plain[: next((place for place in places if plain[place : place + len(bare)] == bare), 0)])


def begun(tokenizer: Any, ids: tuple[int, ...]) -> tuple[int, ...]:
    """``ids`` behind the tokenizer's :func:`beginning`, once: a chat template may have written it."""
    start = beginning(tokenizer)
    return ids if ids[:1] == start[:1] else (*start, *ids)


@contextmanager
def about_row(row: str) -> Iterator[None]:
    """What is wrong with data in the block is said of ``row``."""
    try:
        yield
    except DataError as error:
        raise DataError(f"row {row}: {error}") from error
