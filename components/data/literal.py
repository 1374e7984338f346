"""Control tokens that people wrote: ``<|im_end|>`` in a problem's text is text, and no token that closes a turn.

A template's own control tokens and such text look alike once they are rendered. So what people wrote is put out of sight
before: each control string by one character that no text has (a mark). What is rendered then shows the template's own alone,
and is encoded in the pieces between them, in which the strings are put back and read as text. Texts without a control string,
nearly all, are encoded whole, as ever.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from r1flow.components.core.errors import DataError
from r1flow.components.data.chat import FROM_TOKENIZER, apply_template, prompt_config

PRIVATE = range(0xE000, 0xF900)
"""Characters without a meaning, of which marks are taken."""
TAGS = ("<think>", "</think>", "<answer>", "</answer>")
"""What a completion is made of; where a tokenizer has a special token for one, completions have that token."""
ANCHORS = ("", "\n")
"""What a piece is encoded behind: nothing, or something that keeps a tokenizer from beginning a text with a blank."""

Turns = Sequence[Mapping[str, str]]
"""``role`` (system, user, assistant) and ``content``."""


@dataclass(frozen=True)
class Rendered:
    """A text in which marks stand for the control strings that people wrote: ``hidden``, by mark."""

    text: str
    hidden: Mapping[str, str] = field(default_factory=dict)

    @property
    def plain(self) -> str:
        """The text as people wrote it."""
        return self.text.translate({ord(mark): string for mark, string in self.hidden.items()})

    def cut(self, start: int, stop: int | None = None) -> "Rendered":
        """A part, by places in the marked text."""
        return Rendered(self.text[start:stop], self.hidden)

    def reach(self, length: int) -> int:
        """The place in the marked text behind the first ``length`` characters of the plain one."""
        total = 0
        for place, character in enumerate(self.text):
            if total >= length:
                return place
            total += len(self.hidden.get(character, character))
        return len(self.text)


def hide(tokenizer: Any, turns: Turns) -> tuple[list[dict[str, str]], dict[str, str]]:
    """The turns with marks for control strings, and what each mark stands for; an assistant's tags stay."""
    whole = "".join(turn["content"] for turn in turns)
    unused = (chr(code) for code in PRIVATE if chr(code) not in whole)
    marks: dict[str, str] = {}
    hidden = []
    for turn in turns:
        content = turn["content"]
        for string in controls(tokenizer):  # the longest first
            if string in content and not (turn["role"] == "assistant" and string in TAGS):
                content = content.replace(string, marks.setdefault(string, next(unused)))
        hidden.append({"role": turn["role"], "content": content})
    return hidden, {mark: string for string, mark in marks.items()}


def encode(tokenizer: Any, text: str | Rendered) -> tuple[int, ...]:
    """The token ids of a text and nothing around it; marked strings become no control token.

    DataError for a tokenizer that cannot write them otherwise.
    """
    rendered = text if isinstance(text, Rendered) else Rendered(text)
    whole = tuple(tokenizer(rendered.text, add_special_tokens=False)["input_ids"])
    shown = {string for mark, string in rendered.hidden.items() if mark in rendered.text}
    if not shown:
        return whole
    pieces = _pieces(tokenizer, rendered)
    as_text = _text_encoder(tokenizer)
    own = [token for token, _ in pieces if token is not None]
    known = {token for token in controls(tokenizer).values() if token != tokenizer.unk_token_id}
    for anchor in ANCHORS:
        if _joined(pieces, lambda part: as_text(part.text), anchor) == whole:  # cut so, nothing reads otherwise
            ids = _joined(pieces, lambda part: as_text(part.plain), anchor)
            if ids is not None and [token for token in ids if token in known] == own:
                return ids
    raise DataError(
        f"this tokenizer cannot write {', '.join(map(repr, sorted(shown)))} as text, and as a token it would mean something "
        "else; take it out of the row"
    )


@lru_cache(maxsize=8)
def controls(tokenizer: Any) -> dict[str, int]:
    """The tokens that mean something else than their text: special ones, and those that the chat template writes around turns.

    Longest first.
    """
    turns = [{"role": role, "content": "x"} for role in ("user", "assistant", "user")]
    try:
        around = apply_template(tokenizer, prompt_config(FROM_TOKENIZER), turns, opened=True)
    except Exception:  # a template of a stranger's, or none: special tokens remain
        around = ""
    found = {
        token.content: number
        for number, token in tokenizer.added_tokens_decoder.items()
        if token.special or (token.content in around and token.content not in TAGS and token.content.strip())
    }
    return dict(sorted(found.items(), key=lambda pair: -len(pair[0])))


def _pieces(tokenizer: Any, rendered: Rendered) -> list[tuple[int | None, Rendered]]:
    """Control tokens with their ids, and what stands between them without; blanks that a token swallows are taken off."""
    own = controls(tokenizer)
    present = [string for string in own if string in rendered.text]
    parts = re.split(f"({'|'.join(map(re.escape, present))})", rendered.text) if present else [rendered.text]
    pieces: list[tuple[int | None, Rendered]] = []
    for place, part in enumerate(parts):
        if place % 2:
            pieces.append((own[part], Rendered(part)))
            continue
        before, after = ((own.get(parts[i]) if 0 <= i < len(parts) else None) for i in (place - 1, place + 1))
        if before is not None and tokenizer.added_tokens_decoder[before].rstrip:
            part = part.lstrip()
        if after is not None and tokenizer.added_tokens_decoder[after].lstrip:
            part = part.rstrip()
        pieces.append((None, Rendered(part, rendered.hidden)))
    return pieces


def _joined(
    pieces: Sequence[tuple[int | None, Rendered]], encoder: Callable[[Rendered], Sequence[int]], anchor: str
) -> tuple[int, ...] | None:
    """All ids, pieces behind the first one encoded behind ``anchor``; None where that cannot be cut off again."""
    ids: list[int] = []
    lead = tuple(encoder(Rendered(anchor))) if anchor else ()
    for place, (token, part) in enumerate(pieces):
        if token is not None:
            ids.append(token)
        elif part.text:
            start = lead if place else ()
            found = tuple(encoder(Rendered(anchor + part.text, part.hidden) if place else part))
            if found[: len(start)] != start:
                return None
            ids += found[len(start) :]
    return tuple(ids)


@lru_cache(maxsize=2)
def _text_encoder(tokenizer: Any) -> Callable[[str], Sequence[int]]:
    """Encodes a text as if the tokenizer had no control token."""
    from tokenizers import AddedToken, Tokenizer

    twin = Tokenizer.from_str(
        tokenizer.backend_tokenizer.to_str()
    )  # a switch on the tokenizer itself would be every thread's
    twin.no_truncation()
    twin.add_special_tokens([AddedToken(string, special=True, normalized=False) for string in controls(tokenizer)])
    twin.encode_special_tokens = True
    return lambda text: list(twin.encode(text, add_special_tokens=False).ids)
