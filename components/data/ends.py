"""Which tokens end a completion, by tokenizer, model directory and prompt; the chat template shows which one closes a turn."""

import json
from pathlib import Path
from typing import Any

from r1flow.components.core.ends import Ends, end_ids
from r1flow.components.core.errors import DataError, ModelError
from r1flow.components.data.chat import FROM_TOKENIZER, apply_template, prompt_config
from r1flow.components.recipe.models import PromptConfig

QUESTION, ANSWER = "1+1=?", "AnswerOfAProbe"


def find_ends(tokenizer: Any, directory: Path | None, asked: str | PromptConfig) -> Ends:
    """The ends of a model that is asked so: ``prompt.end_tokens``, or else every one that the model names itself.

    That is the tokenizer's, then those of ``generation_config.json``, or of ``config.json`` where that says nothing (without
    ``directory`` the tokenizer's alone). Trained is the first that the chat template writes behind an assistant's turn; with
    another template, and where it writes none, the tokenizer's. ModelError for an end that is not one token.
    """
    prompt = prompt_config(asked)
    own = int(tokenizer.eos_token_id)
    if prompt.end_tokens:
        ids = tuple(dict.fromkeys(_one_token(tokenizer, text) for text in prompt.end_tokens))
    else:
        declared = () if directory is None else _declared(directory)
        ids = tuple(dict.fromkeys([own, *(i for i in declared if 0 <= i < len(tokenizer))]))
    usual = own if own in ids else ids[0]
    return Ends(ids, next((token for token in closing(tokenizer, prompt) if token in ids), usual))


def closing(tokenizer: Any, prompt: PromptConfig) -> tuple[int, ...]:
    """The tokens that the chat template writes behind an assistant's turn.

    None for a template of this project, or one that cannot write a question and its answer.
    """
    if prompt.template != FROM_TOKENIZER:
        return ()
    turns = [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": ANSWER}]
    try:
        _, answer, behind = apply_template(tokenizer, prompt, turns, opened=False).rpartition(ANSWER)
    except DataError:
        return ()
    return tuple(tokenizer(behind, add_special_tokens=False)["input_ids"]) if answer else ()


def foreign_end(tokenizer: Any, prompt: PromptConfig, ends: Ends) -> str:
    """The special token by which the chat template closes an assistant's turn though it is no end; "" where all is well.

    Completions would go on behind it.
    """
    written = closing(tokenizer, prompt)
    if any(token in ends.ids for token in written):
        return ""
    special = {
        i for i, token in tokenizer.added_tokens_decoder.items() if token.special and i != tokenizer.unk_token_id
    }
    return next((str(tokenizer.convert_ids_to_tokens(token)) for token in written if token in special), "")


def end_tokens_setting(tokenizer: Any, ends: Ends, end: str) -> str:
    """The setting that makes ``end`` an end too, as TOML."""
    return f"prompt.end_tokens = {json.dumps([end, *names(tokenizer, ends)], ensure_ascii=False)}"


def names(tokenizer: Any, ends: Ends) -> tuple[str, ...]:
    """The ends as the tokenizer writes them."""
    return tuple(str(tokenizer.convert_ids_to_tokens(token)) for token in ends.ids)


def _declared(directory: Path) -> tuple[int, ...]:
    for name in ("generation_config.json", "config.json"):
        try:
            settings = json.loads((directory / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        said = settings.get("eos_token_id") if isinstance(settings, dict) else None
        if isinstance(said, int | list) and not isinstance(said, bool):
            return tuple(token for token in end_ids(said) if isinstance(token, int))
    return ()


def _one_token(tokenizer: Any, text: str) -> int:
    """The token that writes ``text``, or that is called so."""
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    if len(ids) == 1 and ids[0] != tokenizer.unk_token_id:
        return int(ids[0])
    named = tokenizer.convert_tokens_to_ids(text)
    if isinstance(named, int) and tokenizer.convert_ids_to_tokens(named) == text:
        return named
    raise ModelError(f"{text!r} is not one token of this tokenizer; name tokens that it has in prompt.end_tokens")
