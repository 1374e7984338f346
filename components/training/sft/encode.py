"""From texts to examples: what the model is to write is trained on, everything else is only read.

Prompt and completion are encoded apart, as in sampling, where the prompt's tokens stand before the first one of the
completion is drawn. So no token reaches over the boundary, whatever a tokenizer would make of the joined text; a tokenizer
whose pieces do not say the same as the whole is refused.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from r1flow.components.core.errors import DataError
from r1flow.components.data.chat import FROM_TOKENIZER, render
from r1flow.components.training.sft.example import Example

if TYPE_CHECKING:
    from r1flow.components.core.schema import Row

Message = Mapping[str, str]
"""``role`` (system, user, assistant) and ``content``."""


class Tokenizer(Protocol):
    """What is used of a Hugging Face tokenizer."""

    eos_token: Any
    eos_token_id: Any

    def __call__(self, text: str, *, add_special_tokens: bool) -> Any: ...

    def decode(self, ids: Sequence[int], *, skip_special_tokens: bool, clean_up_tokenization_spaces: bool) -> Any: ...

    def apply_chat_template(self, conversation: list[dict[str, str]], **options: Any) -> Any: ...


def encode(tokenizer: Tokenizer, text: str) -> tuple[int, ...]:
    """The token ids of ``text`` and nothing around it."""
    return tuple(tokenizer(text, add_special_tokens=False)["input_ids"])


def taught(tokenizer: Tokenizer, template: str, row: "Row") -> Example:
    """What a row of SFT data trains; a row without a completion is an error, not a skip."""
    if row.completion is None:
        raise DataError(f"row {row.id} has no completion to train on")
    if row.messages is not None:
        answer = {"role": "assistant", "content": row.completion}
        conversation = [*(message.model_dump() for message in row.messages), answer]
        return encode_conversation(tokenizer, template, conversation, row=row.id)
    return encode_pair(tokenizer, render(template, row.prompt, tokenizer), row.completion, row=row.id)


def encode_pair(tokenizer: Tokenizer, prompt: str, completion: str, *, row: str) -> Example:
    """The rendered ``prompt`` as context; ``completion`` and the end token are trained on.

    The trained tokens say exactly the completion (up to Unicode's NFC, which some tokenizers apply), and behind the prompt
    they say it too. DataError, naming ``row``, where a tokenizer loses or adds something, and where the completion itself
    contains the end token: the model would learn to go on behind it.
    """
    before, after = encode(tokenizer, prompt), encode(tokenizer, completion)
    if not before:
        raise DataError(f"row {row}: its prompt has no token, so nothing would predict the completion's first one")
    if tokenizer.eos_token_id in after:
        raise DataError(
            f"row {row}: the completion contains the end token {tokenizer.eos_token!r} as text; take it out of the row: "
            "it is put behind the completion"
        )
    alone = _decode(tokenizer, after)
    if not _same(alone, completion):
        raise DataError(f"row {row}: this tokenizer cannot write the completion: {_difference(completion, alone)}")
    joined, apart = _decode(tokenizer, before + after), _decode(tokenizer, before) + alone
    if not _same(joined, apart):
        raise DataError(
            f"row {row}: behind its prompt the tokenizer reads the completion otherwise: {_difference(apart, joined)}; "
            "end the template where the tokenizer can be cut, such as behind a special token"
        )
    return Example((*before, *after, tokenizer.eos_token_id), len(before))


def encode_conversation(tokenizer: Tokenizer, template: str, messages: Sequence[Message], *, row: str) -> Example:
    """A conversation of which the assistant's turns, each with the end token that closes it, are trained on.

    What the template puts around turns and what others say is context. Before each turn stand the tokens that sampling
    would show. A template of this project takes one question and one answer. DataError, naming ``row``: no turn of the
    assistant, or one that answers nothing; a template that shows earlier turns otherwise later on (it takes thoughts out,
    say: make a row of each turn then), does not close a turn by the end token, or ends it inside a token.
    """
    turns = [index for index, message in enumerate(messages) if message["role"] == "assistant"]
    if not turns or turns[0] == 0:
        raise DataError(f"row {row}: a conversation needs a turn of the assistant behind something that it answers")
    if template != FROM_TOKENIZER:
        if [message["role"] for message in messages] != ["user", "assistant"]:
            raise DataError(
                f"row {row}: template {template!r} holds one question and its answer, not a conversation of "
                f"{len(messages)} messages; take {FROM_TOKENIZER!r}"
            )
        question, answer = (message["content"] for message in messages)
        return encode_pair(tokenizer, render(template, question), answer, row=row)
    ids: tuple[int, ...] = ()
    seen, trained = "", list[tuple[int, int]]()
    for index in turns:
        shown = _applied(tokenizer, messages[:index], opened=True)
        through = _applied(tokenizer, messages[: index + 1], opened=False)
        if not shown.startswith(seen) or not through.startswith(shown):
            raise DataError(
                f"row {row}: the tokenizer's template writes what came before turn {index + 1} otherwise once that turn is "
                "there, so nobody samples from what would be read; make a row of each turn"
            )
        ids += encode(tokenizer, shown[len(seen) :])
        if ids != encode(tokenizer, shown):
            raise DataError(f"row {row}: the prompt of turn {index + 1} has other tokens in sampling than in training")
        turn = encode(tokenizer, through[len(shown) :])
        if tokenizer.eos_token_id not in turn:
            raise DataError(
                f"row {row}: the tokenizer's template does not close the assistant's turn by its end token "
                f"{tokenizer.eos_token!r}; nothing would teach the model to stop"
            )
        end = turn.index(tokenizer.eos_token_id) + 1
        written = _decode(tokenizer, turn[:end])
        if not through[len(shown) :].startswith(written):
            raise DataError(f"row {row}: this tokenizer cannot write turn {index + 1}: {_difference(through, written)}")
        trained.append((len(ids), len(ids) + end))
        ids += turn[:end]
        seen = shown + written
    starts, ends = zip(*trained, strict=True)
    return Example(ids, starts[0], tuple(zip(ends[:-1], starts[1:], strict=True)))


def _applied(tokenizer: Tokenizer, messages: Sequence[Message], *, opened: bool) -> str:
    conversation = [{"role": m["role"], "content": m["content"]} for m in messages]
    return str(tokenizer.apply_chat_template(conversation, tokenize=False, add_generation_prompt=opened))


def _decode(tokenizer: Tokenizer, ids: Sequence[int]) -> str:
    return str(tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False))


def _same(one: str, other: str) -> bool:
    return one == other or unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other)


def _difference(expected: str, found: str, around: int = 20) -> str:
    """Where the two part, with a few characters of each."""
    place = next(
        (i for i, (a, b) in enumerate(zip(expected, found, strict=False)) if a != b), min(len(expected), len(found))
    )
    cut = slice(max(0, place - around), place + around)
    return f"it makes {found[cut]!r} of {expected[cut]!r}"
