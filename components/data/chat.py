"""From a problem's prompt to the text that the model continues.

Templates are the jinja files in ``templates/``; the name ``tokenizer`` means the chat template that comes with
the model. ``r1_zero`` is Table 1 of the DeepSeek-R1 paper word for word.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from jinja2 import StrictUndefined, Template, TemplateError, meta
from jinja2.ext import Extension
from jinja2.nodes import Node
from jinja2.parser import Parser
from jinja2.sandbox import SandboxedEnvironment

from r1flow.components.core.errors import ConfigError, DataError

if TYPE_CHECKING:
    from r1flow.components.core.schema import Message
    from r1flow.components.recipe.models import PromptConfig

PROBE = "1+1"
MESSAGE_CHARS = 500
RAISED = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What a template that does not fit a conversation raises, beside errors of its own."""
_EMPTY_THOUGHT = re.compile(r"<think>\s*</think>\s*\Z")

TEMPLATES = Path(__file__).parent / "templates"
FROM_TOKENIZER = "tokenizer"


class ChatTokenizer(Protocol):
    """The one method of a Hugging Face tokenizer that is used here."""

    def apply_chat_template(self, conversation: list[dict[str, str]], **options: Any) -> Any: ...


def template_names() -> list[str]:
    """The templates there are."""
    return sorted([FROM_TOKENIZER, *(path.stem for path in TEMPLATES.glob("*.jinja"))])


def prompt_config(asked: str | PromptConfig) -> PromptConfig:
    """How a model is asked; a template's name alone means it with the defaults of everything else."""
    from r1flow.components.recipe.models import PromptConfig

    return PromptConfig(template=asked) if isinstance(asked, str) else asked


def render(asked: str | PromptConfig, prompt: str | Sequence[Message], tokenizer: ChatTokenizer | None = None) -> str:
    """The text before the completion; ``prompt`` is a question, or a conversation that ends with one.

    ConfigError for an unknown template, or for "tokenizer" without a tokenizer; DataError for a conversation where the
    template takes one question, and for one that the model's chat template refuses.
    """
    config = prompt_config(asked)
    if config.template != FROM_TOKENIZER:
        if not isinstance(prompt, str):
            fix = f"give prompt.template = {FROM_TOKENIZER!r}, or leave conversations out"
            raise DataError(f"template {config.template!r} takes one question, and a row is a conversation; {fix}")
        return _template(config.template).render(prompt=prompt)
    if tokenizer is None:
        raise ConfigError(f"template {FROM_TOKENIZER!r} needs the model's tokenizer; name one of {template_names()}")
    turns = [("user", prompt)] if isinstance(prompt, str) else [(turn.role, turn.content) for turn in prompt]
    conversation = [{"role": role, "content": content} for role, content in turns]
    return apply_template(tokenizer, config, conversation, opened=True)


def apply_template(
    tokenizer: ChatTokenizer, config: PromptConfig, conversation: Sequence[Mapping[str, str]], *, opened: bool
) -> str:
    """A conversation as the model's own chat template writes it; ``opened``: with the beginning of the assistant's next turn."""
    turns = [{"role": turn["role"], "content": turn["content"]} for turn in conversation]
    today = datetime.combine(config.date, time())
    told = {**config.variables, "strftime_now": today.strftime}
    try:
        return str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=opened, **told))
    except (TemplateError, *RAISED) as error:
        reason = f"{type(error).__name__}: {error}"[:MESSAGE_CHARS]
        raise DataError(
            f"the model's chat template refuses a conversation of {', '.join(turn['role'] for turn in turns)}: {reason}; change "
            "its turns, tell the template more by prompt.variables, or name another prompt.template"
        ) from error


def opens_thought(asked: str | PromptConfig, tokenizer: ChatTokenizer | None = None) -> bool:
    """Whether the template itself writes the ``<think>``, so that completions begin inside the thought.

    A format reward that does not know this is 0 for ever.
    """
    return render(asked, PROBE, tokenizer).rstrip().endswith("<think>")


def closes_thought(asked: str | PromptConfig, tokenizer: ChatTokenizer | None = None) -> bool:
    """Whether the template itself writes an empty thought, so that completions begin behind it and can have none of their own."""
    return _EMPTY_THOUGHT.search(render(asked, PROBE, tokenizer)) is not None


def template_variables(source: str) -> tuple[str, ...]:
    """What a chat template reads beside what it is always told: the names that ``prompt.variables`` can give it."""
    from r1flow.components.recipe.models import APPLIED

    environment = SandboxedEnvironment(extensions=[_Generation, "jinja2.ext.loopcontrols"])
    read = meta.find_undeclared_variables(environment.parse(source))
    return tuple(sorted(read - APPLIED - set(environment.globals)))


class _Generation(Extension):
    """Transformers' own tag, around what an assistant says."""

    tags = {"generation"}  # noqa: RUF012 (as jinja2 has it)

    def parse(self, parser: Parser) -> list[Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


@cache
def _template(name: str) -> Template:
    path = TEMPLATES / f"{name}.jinja"
    if name not in template_names() or not path.is_file():
        raise ConfigError(f"there is no template {name!r}; there are {', '.join(template_names())}")
    environment = SandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=False, autoescape=False)
    return environment.from_string(path.read_text(encoding="utf-8"))
