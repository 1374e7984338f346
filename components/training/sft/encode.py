"""From texts to examples: what the model is to write is trained on, everything else is only read.

Prompt and completion are encoded apart, as in sampling, where the prompt's tokens stand before the first one of the
completion is drawn. So no token reaches over the boundary, whatever a tokenizer would make of the joined text; a tokenizer
whose pieces do not say the same as the whole is refused.
"""

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from r1flow.components.core.ends import Ends
from r1flow.components.core.errors import DataError
from r1flow.components.data.chat import FROM_TOKENIZER, apply_template, prompt_config
from r1flow.components.data.encode import about_row, begun, encode_completion, rendered, same_as
from r1flow.components.data.ends import end_tokens_setting, find_ends, foreign_end, names
from r1flow.components.data.literal import Rendered, encode, hide
from r1flow.components.recipe.models import PromptConfig
from r1flow.components.training.sft.example import Example

if TYPE_CHECKING:
    from r1flow.components.core.schema import Row

Message = Mapping[str, str]
"""``role`` (system, user, assistant) and ``content``."""


class Tokenizer(Protocol):
    """What is used of a Hugging Face tokenizer."""

    eos_token_id: Any
    added_tokens_decoder: Any

    def __call__(self, text: str, *, add_special_tokens: bool) -> Any: ...

    def decode(self, ids: Sequence[int], *, skip_special_tokens: bool, clean_up_tokenization_spaces: bool) -> Any: ...

    def apply_chat_template(self, conversation: list[dict[str, str]], **options: Any) -> Any: ...

    def convert_ids_to_tokens(self, ids: int) -> Any: ...


def taught(tokenizer: Tokenizer, asked: str | PromptConfig, row: "Row", ends: Ends | None = None) -> Example:
    """What a row of SFT data trains; a row without a completion is an error, not a skip.

    ``asked``: the prompt's settings or a template's name; ``ends``: the model's, without them those that tokenizer and
    prompt name.
    """
    ends = ends or find_ends(tokenizer, None, asked)
    if row.completion is None:
        raise DataError(f"row {row.id} has no completion to train on")
    if row.messages is not None:
        answer = {"role": "assistant", "content": row.completion}
        conversation = [*(message.model_dump() for message in row.messages), answer]
        return encode_conversation(tokenizer, asked, conversation, ends, row=row.id)
    with about_row(row.id):
        prompt = rendered(tokenizer, asked, row.prompt)
    return encode_pair(tokenizer, prompt, row.completion, ends, row=row.id)


def encode_pair(tokenizer: Tokenizer, prompt: str | Rendered, completion: str, ends: Ends, *, row: str) -> Example:
    """The rendered ``prompt`` as context; ``completion`` and the end token are trained on.

    The trained tokens say exactly the completion (up to Unicode's NFC, which some tokenizers apply), and behind the prompt
    they say it too. DataError, naming ``row``, where a tokenizer loses or adds something, and where the completion itself
    contains an end token: the model would learn to go on behind it.
    """
    with about_row(row):
        return _pair(tokenizer, prompt, completion, ends)


def _pair(tokenizer: Tokenizer, prompt: str | Rendered, completion: str, ends: Ends) -> Example:
    _refuse_ends(tokenizer, completion, ends)
    before, after = begun(tokenizer, encode(tokenizer, prompt)), encode_completion(tokenizer, completion)
    if not before:
        raise DataError("its prompt has no token, so nothing would predict the completion's first one")
    alone = _decode(tokenizer, after)
    if not _same(alone, completion):
        raise DataError(f"this tokenizer cannot write the completion: {_difference(completion, alone)}")
    joined, apart = _decode(tokenizer, before + after), _decode(tokenizer, before) + alone
    if not _same(joined, apart):
        raise DataError(
            f"behind its prompt the tokenizer reads the completion otherwise: {_difference(apart, joined)}; "
            "end the template where the tokenizer can be cut, such as behind a special token"
        )
    return Example((*before, *after, ends.trained), len(before))


def encode_conversation(
    tokenizer: Tokenizer, asked: str | PromptConfig, messages: Sequence[Message], ends: Ends, *, row: str
) -> Example:
    """A conversation of which the assistant's turns, each with the end token that closes it, are trained on.

    What the template puts around turns and what others say is context. Before each turn stand the tokens that sampling
    would show. A template of this project takes one question and one answer. DataError, naming ``row``: no turn of the
    assistant, or one that answers nothing; a template that shows earlier turns otherwise later on (it takes thoughts out,
    say: make a row of each turn then), does not close a turn by an end token, or ends it inside a token.
    """
    roles = [message["role"] for message in messages]
    with about_row(row):
        if "assistant" not in roles[1:] or roles[0] == "assistant":
            raise DataError("a conversation needs a turn of the assistant behind something that it answers")
        config = prompt_config(asked)
        if config.template == FROM_TOKENIZER:
            return _conversation(tokenizer, config, messages, ends)
        if roles != ["user", "assistant"]:
            raise DataError(
                f"template {config.template!r} holds one question and its answer, not a conversation of {len(roles)} messages; "
                f"take {FROM_TOKENIZER!r}"
            )
        question, answer = (message["content"] for message in messages)
        return _pair(tokenizer, rendered(tokenizer, config, question), answer, ends)


def _conversation(tokenizer: Tokenizer, config: PromptConfig, messages: Sequence[Message], ends: Ends) -> Example:
    ids: tuple[int, ...] = ()
    seen, trained = "", list[tuple[int, int]]()
    written = _writer(tokenizer, config, messages)
    for index in (index for index, message in enumerate(messages) if message["role"] == "assistant"):
        _refuse_ends(tokenizer, messages[index]["content"], ends)
        shown, through = written(index, True), written(index + 1, False)
        if not shown.text.startswith(seen) or not through.text.startswith(shown.text):
            raise DataError(
                f"the tokenizer's template writes what came before turn {index + 1} otherwise once that turn is there, so "
                "nobody samples from what would be read; make a row of each turn"
            )
        added = encode(tokenizer, shown.cut(len(seen)))
        ids = ids + added if ids else begun(tokenizer, added)
        if ids != begun(tokenizer, encode(tokenizer, shown)):
            raise DataError(f"the prompt of turn {index + 1} has other tokens in sampling than in training")
        said = through.cut(len(shown.text))
        turn = _closed(tokenizer, config, encode(tokenizer, said), ends)
        says = _decode(tokenizer, turn)
        if not said.plain.startswith(says):
            raise DataError(f"this tokenizer cannot write turn {index + 1}: {_difference(said.plain, says)}")
        trained.append((len(ids), len(ids) + len(turn)))
        ids += turn
        seen = shown.text + said.text[: said.reach(len(says))]
    starts, stops = zip(*trained, strict=True)
    return Example(ids, starts[0], tuple(zip(stops[:-1], starts[1:], strict=True)))


def _writer(tokenizer: Tokenizer, config: PromptConfig, messages: Sequence[Message]) -> Callable[[int, bool], Rendered]:
    """What the chat template makes of the first so many messages, ``opened`` for the next turn, with marks."""
    marked, hidden = hide(tokenizer, messages)

    def written(number: int, opened: bool) -> Rendered:
        whole = apply_template(tokenizer, config, messages[:number], opened=opened)
        if not hidden:
            return Rendered(whole)
        return same_as(Rendered(apply_template(tokenizer, config, marked[:number], opened=opened), hidden), whole)

    return written


def _closed(tokenizer: Tokenizer, config: PromptConfig, turn: tuple[int, ...], ends: Ends) -> tuple[int, ...]:
    """The tokens of a turn up to the end that closes it."""
    place = next((place for place, token in enumerate(turn) if token in ends.ids), None)
    if place is None:
        written = foreign_end(tokenizer, config, ends)
        fix = f": set models.NAME.{end_tokens_setting(tokenizer, ends, written)}" if written else ""
        raise DataError(
            "the tokenizer's template does not close the assistant's turn by an end token "
            f"({' or '.join(map(repr, names(tokenizer, ends)))}); nothing would teach the model to stop{fix}"
        )
    return turn[: place + 1]


def _refuse_ends(tokenizer: Tokenizer, text: str, ends: Ends) -> None:
    """An end inside would teach the model to go on behind it, or stand there as text that ends nothing."""
    found = next((token for token in encode(tokenizer, text) if token in ends.ids), None)
    if found is not None:
        raise DataError(
            f"the completion contains the end token {tokenizer.convert_ids_to_tokens(found)!r} as text; "
            "take it out of the row: an end is put behind the completion"
        )


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
