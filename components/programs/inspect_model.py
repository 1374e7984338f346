"""Looks at start models: where they lie, what they are, whether tokenizer and prompt template work. Loads no weights.

A model's files and its chat template are untrusted. Each look has a limit of processor time and, on Linux, one of memory,
which the kernel enforces: past the first the process is ended, past the second an allocation fails. The note :data:`NOTE`
then says what was being looked at (``r1flow.tasks.inspection`` reads it). A download is bounded by the supervisor alone.
"""

import hashlib
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import psutil

from r1flow.components.core.digest import directory_digest
from r1flow.components.core.errors import ModelError, UserError
from r1flow.components.core.families import described
from r1flow.components.core.models import check_weights, load_config, load_tokenizer, stored_parameters
from r1flow.components.core.positions import known_positions
from r1flow.components.data.encode import beginning
from r1flow.components.data.ends import names
from r1flow.components.programs.start_model import check_ends, check_template, other_template
from r1flow.components.recipe.models import PromptConfig
from r1flow.components.recipe.section import Section
from r1flow.components.sampling.vllm_families import unserved
from r1flow.components.store.models import fetch_config, is_remote, locate_model

NOTE = "looking_at.txt"
"""In the work directory: the setting that is being looked at, and on the next line the fix."""
FIX = "check it, or give another model"
WIDTHS = {"float32": 4, "bfloat16": 2}
"""Bytes of a number."""
MESSAGE_CHARS = 500


class StartModel(Section):
    """What is looked at: a recipe's start model with the prompt that it is asked by."""

    source: str
    revision: str | None = None
    prompt: PromptConfig = PromptConfig()
    dtype: Literal["float32", "bfloat16"] = "float32"


class ModelFacts(Section):
    """What was seen."""

    directory: Path
    """Where its files lie on this machine, or its ``.gguf`` file."""
    digest: str
    """sha256 over their names and contents."""
    model_type: str
    parameters: int
    """Stored numbers; tied ones are stored once."""
    weight_bytes: int
    """What they take in the recipe's dtype."""
    positions: int | None
    """The most tokens of a prompt and its completion; None where no bound is known."""
    vocabulary: int
    """Tokens that the tokenizer knows."""
    end_tokens: tuple[str, ...]
    """Any of them ends a completion."""
    trained_end: str
    """The one that SFT puts behind a completion."""
    template_sha256: str
    opens_thought: bool
    """Whether the template itself writes the ``<think>``."""
    closes_thought: bool
    """Whether it writes an empty thought, so that a completion has none."""
    beginning: str
    """What the tokenizer puts before every text, such as ``<s>``."""
    unserved: str
    """Why vLLM's CPU build cannot sample it; empty where it can."""


class Limits(Section):
    """For each model: seconds of processor time, and bytes above what the process holds before it looks."""

    cpu_s: float = 60.0
    memory: int = 4 << 30


def main(raw: dict[str, Any]) -> dict[str, Any]:
    """Facts by name, for ``raw`` with ``models`` (:class:`StartModel` by name), ``limits``, ``work`` and ``cache``, where digests
    are kept.

    Raises :class:`ModelError`, or ``ConfigError`` for a template that does not exist, naming the setting and the fix.
    """
    models = {name: StartModel.model_validate(model) for name, model in raw["models"].items()}
    work, limits = Path(raw["work"]), Limits.model_validate(raw["limits"])
    cache = Path(raw["cache"]) if raw.get("cache") else None
    return {name: _look(name, model, work, limits, cache).model_dump(mode="json") for name, model in models.items()}


def _look(name: str, model: StartModel, work: Path, limits: Limits, cache: Path | None) -> ModelFacts:
    source = f"models.{name}.source"
    with looking_at(source, FIX, work, limits):
        if is_remote(model.source):
            _refuse_family(model, limits)
        directory = locate_model(model.source, model.revision, setting=source)
        with limited(limits):
            config = load_config(directory)
            check_weights(directory, config)
            parameters = stored_parameters(directory)
            tokenizer = load_tokenizer(directory)
    return ModelFacts(
        directory=directory,
        digest=directory_digest(directory, cache),
        model_type=str(config.model_type),
        parameters=parameters,
        weight_bytes=parameters * WIDTHS[model.dtype],
        positions=known_positions(config),
        vocabulary=len(tokenizer),
        unserved=unserved(config),
        **_asked(f"models.{name}.prompt", model.prompt, tokenizer, directory, work, limits),
    )


def _refuse_family(model: StartModel, limits: Limits) -> None:
    """ModelError for a family that cannot be served, before the weights of a model of it are fetched."""
    try:
        config = fetch_config(model.source, model.revision)
    except ModelError:
        return  # what cannot be had is said where all of it is fetched
    with limited(limits):
        described(config)


def _asked(
    setting: str, prompt: PromptConfig, tokenizer: Any, directory: Path, work: Path, limits: Limits
) -> dict[str, Any]:
    """The facts that follow from how the model is asked."""
    with looking_at(f"{setting}.template", other_template(prompt.template), work, limits), limited(limits):
        asked = check_template(prompt, tokenizer)
    with looking_at(f"{setting}.end_tokens", "name tokens that it has", work, limits), limited(limits):
        ends = check_ends(prompt, tokenizer, directory, setting.removesuffix("prompt"))
    return {
        "end_tokens": names(tokenizer, ends),
        "trained_end": str(tokenizer.convert_ids_to_tokens(ends.trained)),
        "beginning": "".join(tokenizer.convert_ids_to_tokens(list(beginning(tokenizer)))),
        "template_sha256": hashlib.sha256(asked.text.encode()).hexdigest(),
        "opens_thought": asked.opens_thought,
        "closes_thought": asked.closes_thought,
    }


@contextmanager
def looking_at(setting: str, fix: str, work: Path, limits: Limits) -> Iterator[None]:
    """Whatever the block raises is a user error that begins with ``setting``."""
    (work / NOTE).write_text(f"{setting}\n{fix}", encoding="utf-8")
    try:
        yield
    except UserError as error:
        raise type(error)(f"{setting}: {str(error).removeprefix(f'{setting}: ')}") from error
    except MemoryError as error:
        raise ModelError(f"{setting}: takes more than {limits.memory / 2**30:.3g} GiB of memory; {fix}") from error
    except Exception as error:  # libraries raise what they like on a stranger's files
        reason = f"{type(error).__name__}: {error}"[:MESSAGE_CHARS]
        raise ModelError(f"{setting}: {reason}; {fix}") from error


@contextmanager
def limited(limits: Limits) -> Iterator[None]:
    """The block within ``limits``. Memory is what a process writes (RLIMIT_DATA): mapped weights do not count."""
    if sys.platform == "linux":
        soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
        room = psutil.Process().memory_info().data + limits.memory
        resource.setrlimit(resource.RLIMIT_DATA, (room if soft == resource.RLIM_INFINITY else min(room, soft), hard))
    signal.setitimer(signal.ITIMER_PROF, limits.cpu_s)  # SIGPROF has no handler here: it ends the process
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        if sys.platform == "linux":
            resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
