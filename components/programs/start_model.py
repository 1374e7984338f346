"""What a start model has to pass, beside what loading it refuses: once for imports, inspections and ``r1 doctor``."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from r1flow.components.core.ends import Ends
from r1flow.components.core.errors import DataError, ModelError
from r1flow.components.data.chat import (
    FROM_TOKENIZER,
    PROBE,
    TEMPLATES,
    closes_thought,
    opens_thought,
    render,
    template_names,
)
from r1flow.components.data.ends import end_tokens_setting, find_ends, foreign_end, names
from r1flow.components.recipe.models import PromptConfig

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class Asked:
    """A template: its own text, and what it writes of a thought before the completion."""

    text: str
    opens_thought: bool
    """Whether the template itself writes the ``<think>``."""
    closes_thought: bool
    """Whether it writes an empty thought, so that a completion has none."""


def other_template(name: str) -> str:
    """The fix for a template that does not work."""
    return f"name another: {', '.join(each for each in template_names() if each != name)}"


def check_template(prompt: PromptConfig, tokenizer: Any) -> Asked:
    """ModelError or ConfigError for a template that is not there or leaves the question out; what it raises itself as it is."""
    text = _text(prompt.template, tokenizer)
    try:
        shown = render(prompt, PROBE, tokenizer)
    except DataError as error:
        raise error.__cause__ or error from None
    if PROBE not in shown:
        raise ModelError(
            f"template {prompt.template!r} leaves the question out of the prompt; {other_template(prompt.template)}"
        )
    return Asked(text, opens_thought(prompt, tokenizer), closes_thought(prompt, tokenizer))


def _text(name: str, tokenizer: Any) -> str:
    if name != FROM_TOKENIZER:
        render(name, PROBE)  # refuses a name that there is not
        return (TEMPLATES / f"{name}.jinja").read_text(encoding="utf-8")
    if not tokenizer.chat_template:
        others = ", ".join(each for each in template_names() if each != FROM_TOKENIZER)
        raise ModelError(f"the model has no chat template; name one of {others}")
    return str(tokenizer.get_chat_template())


def check_ends(prompt: PromptConfig, tokenizer: Any, directory: Path, setting: str = "") -> Ends:
    """Where completions end. ModelError where the chat template closes turns with another token; ``setting`` stands before the
    one that mends it."""
    ends = find_ends(tokenizer, directory, prompt)
    if not prompt.end_tokens and (written := foreign_end(tokenizer, prompt, ends)):
        raise ModelError(
            f"the chat template closes the assistant's turn with {written!r}, which is no end of this model "
            f"({', '.join(names(tokenizer, ends))}), so completions would go on behind it; set "
            f"{setting}{end_tokens_setting(tokenizer, ends, written)}"
        )
    return ends


def check_ids(model: "PreTrainedModel", tokenizer: Any, source: Path | str) -> int:
    """How many ids the model has beyond those of its tokenizer, which are never drawn. ModelError where it has fewer."""
    rows = int(model.get_input_embeddings().weight.shape[0])
    if len(tokenizer) > rows:
        raise ModelError(
            f"{source}: the tokenizer has {len(tokenizer)} tokens, the model only {rows}; they do not belong together"
        )
    return rows - len(set(tokenizer.get_vocab().values()))


def check_sampling(model: "PreTrainedModel", tokenizer: Any) -> float:
    """The greatest difference, in nats, of what is sampled from the model's own forward."""
    from r1flow.components.core.models import known_ids
    from r1flow.components.sampling.probe import probe_sampling

    ids = known_ids(tokenizer)
    return probe_sampling(model, ids, eos_id=int(tokenizer.eos_token_id), pad_id=int(tokenizer.pad_token_id))
