"""From a problem's prompt to the text that the model continues.

Templates are the jinja files in ``templates/``; the name ``tokenizer`` means the chat template that comes with
the model. ``r1_zero`` is Table 1 of the DeepSeek-R1 paper word for word.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from jinja2 import StrictUndefined, Template
from jinja2.sandbox import SandboxedEnvironment

from r1flow.components.core.errors import ConfigError, DataError

if TYPE_CHECKING:
    from r1flow.components.core.schema import Message

TEMPLATES = Path(__file__).parent / "templates"
FROM_TOKENIZER = "tokenizer"


class ChatTokenizer(Protocol):
    """The one method of a Hugging Face tokenizer that is used here."""

    def apply_chat_template(self, conversation: list[dict[str, str]], **options: Any) -> Any: ...


def template_names() -> list[str]:
    """The templates there are."""
    return sorted([FROM_TOKENIZER, *(path.stem for path in TEMPLATES.glob("*.jinja"))])


def render(template_name: str, prompt: str | Sequence[Message], tokenizer: ChatTokenizer | None = None) -> str:
    """The text before the completion; ``prompt`` is a question, or a conversation that ends with one.

    ConfigError for an unknown template, or for "tokenizer" without a tokenizer; DataError for a conversation where the
    template takes one question.
    """
    if template_name != FROM_TOKENIZER:
        if not isinstance(prompt, str):
            fix = f"give prompt.template = {FROM_TOKENIZER!r}, or leave conversations out"
            raise DataError(f"template {template_name!r} takes one question, and a row is a conversation; {fix}")
        return _template(template_name).render(prompt=prompt)
    if tokenizer is None:
        raise ConfigError(f"template {FROM_TOKENIZER!r} needs the model's tokenizer; name one of {template_names()}")
    turns = [("user", prompt)] if isinstance(prompt, str) else [(turn.role, turn.content) for turn in prompt]
    conversation = [{"role": role, "content": content} for role, content in turns]
    return str(tokenizer.apply_chat_template(conversation, tokenize=False, add_generation_prompt=True))


def opens_thought(template_name: str, tokenizer: ChatTokenizer | None = None) -> bool:
    """Whether the template itself writes the ``<think>``, so that completions begin inside the thought.

    A format reward that does not know this is 0 for ever.
    """
    return render(template_name, "", tokenizer).rstrip().endswith("<think>")


@cache
def _template(name: str) -> Template:
    path = TEMPLATES / f"{name}.jinja"
    if name not in template_names() or not path.is_file():
        raise ConfigError(f"there is no template {name!r}; there are {', '.join(template_names())}")
    environment = SandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=False, autoescape=False)
    return environment.from_string(path.read_text(encoding="utf-8"))
