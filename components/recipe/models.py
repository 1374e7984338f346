"""Start models, and what goes with a model wherever it is used: its prompt and its language."""

import datetime
from typing import Any, Literal

from pydantic import Field, model_validator

from r1flow.components.core.errors import ConfigError
from r1flow.components.core.languages import language_code
from r1flow.components.recipe.section import Count, Section


class ModelShape(Section):
    """What a decoder's size follows from; lets `r1 plan` count parameters without the weights."""

    family: Literal["llama", "qwen2", "qwen3"]
    vocab_size: Count
    hidden_size: Count
    intermediate_size: Count
    num_layers: Count
    num_heads: Count
    num_kv_heads: Count
    head_dim: Count
    tied_embeddings: bool
    positions: Count | None = None
    """Tokens that a prompt and its completion may have together."""


DATE = datetime.date(2026, 1, 1)
APPLIED = frozenset({
    "add_generation_prompt", "bos_token", "chat_template", "continue_final_message", "conversation", "documents", "eos_token",
    "max_length", "messages", "padding", "raise_exception", "return_assistant_tokens_mask", "return_dict", "return_tensors",
    "strftime_now", "tokenize", "tokenizer_kwargs", "tools", "truncation",
})  # fmt: skip
"""What applying a chat template takes itself: no name for a variable."""


def _later(default: object) -> Any:
    """A setting that came later: at its default it stands in no dump, so fingerprints of before stay what they were."""
    return Field(default=default, exclude_if=lambda value: value == default)


class PromptConfig(Section):
    """How a problem becomes a prompt, and what a well-formed completion looks like."""

    template: str = "r1_zero"
    """A file of components/data/templates, or `tokenizer` for the model's own chat template."""
    format: Literal["think", "think_answer", "think_answer_strict"] = "think_answer"
    end_tokens: tuple[str, ...] = _later(())
    """Tokens that end a completion, such as `["<|im_end|>"]`, in place of those that the model names itself. Empty = those."""
    variables: dict[str, bool | int | float | str] = _later({})
    """What the model's own chat template is told beside the conversation, such as `{ enable_thinking = true }`."""
    date: datetime.date = _later(DATE)
    """The day that a chat template takes for today's (`strftime_now`); a clock would make every day another prompt."""

    @model_validator(mode="after")
    def _told_to_a_chat_template(self) -> "PromptConfig":
        if self.variables and self.template != "tokenizer":
            raise ValueError(f"variables are for template = 'tokenizer'; template {self.template!r} takes none")
        if taken := sorted(APPLIED & set(self.variables)):
            raise ValueError(
                f"variables: {', '.join(taken)}: what applying a template takes itself; call the variable otherwise"
            )
        return self


class LanguageConfig(Section):
    """The language thoughts should be in: a natural language, or one of two alphabets."""

    target: str = "en"
    """A language tag such as `en`, `zh` or `pt-BR`, or the characters of the target alphabet when `other` is given."""
    other: str | None = None
    reflection_words: tuple[str, ...] = ()
    """Words that are counted as reflection and belong to no language. Empty = the paper's list."""

    @model_validator(mode="after")
    def _known(self) -> "LanguageConfig":
        if self.other is None:
            try:
                language_code(self.target)
            except ConfigError as error:
                raise ValueError(str(error)) from error
        return self


class ModelConfig(Section):
    """A start model. Every stage that starts from it inherits its prompt and language, unless it has its own."""

    source: str
    """`builtin:NAME` (shipped with r1flow), a model directory, a `.gguf` file (its weights are dequantised), an `s3://`
    directory, a hub id, or an artifact (`rl/0123abcd`, as `r1 ls` shows it)."""
    revision: str | None = None
    """Commit of a hub id."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    shape: ModelShape | None = None
    title: str = ""
    """How tables call it."""
    prompt: PromptConfig = PromptConfig()
    language: LanguageConfig = LanguageConfig()
