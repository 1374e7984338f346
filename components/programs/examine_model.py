"""``r1 doctor --model``: everything that admission, inspection and import look at, one finding each, and nothing is kept.

A model's files and its chat template are untrusted: each part has limits of processor time and memory, as
:mod:`r1flow.components.programs.inspect_model` has them. Findings are left as they come, so that those from before a part that
ended this process are known. What a failed part would have given others is not looked at, and that is said.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from r1flow.components.core.errors import ModelError, UserError
from r1flow.components.core.families import described
from r1flow.components.core.models import (
    check_model_directory,
    check_weights,
    load_config,
    load_tokenizer,
    stored_parameters,
)
from r1flow.components.core.positions import known_positions
from r1flow.components.core.round_trip import PROBES, num_unknown
from r1flow.components.data.chat import FROM_TOKENIZER, PROBE, template_variables
from r1flow.components.data.encode import beginning, encode_prompt
from r1flow.components.data.ends import closing, names
from r1flow.components.programs.finding import SETTING, Finding, found_in, leave
from r1flow.components.programs.inspect_model import FIX, WIDTHS, Limits, limited, looking_at
from r1flow.components.programs.start_model import (
    Asked,
    check_ends,
    check_ids,
    check_sampling,
    check_template,
    other_template,
)
from r1flow.components.recipe.models import PromptConfig
from r1flow.components.sampling.context import default_tokens
from r1flow.components.store.models import fetch_config, find_model, is_remote

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel

COPIES = 3
"""Of a model's weights in memory, at most, while they are loaded."""
PARAMETERS_PER_S = 2e6


def main(raw: dict[str, Any]) -> dict[str, Any]:
    """The ``findings`` about a model, given as ``source`` and ``revision``; ``limits``, and ``work``, where they are left too.

    Raises only where there is nothing to look at: a source that names no model, or one that cannot be fetched.
    """
    looks = Looks(Path(raw["work"]), Limits.model_validate(raw["limits"]))
    source, revision = raw["source"], raw["revision"]
    with looking_at(SETTING, FIX, looks.work, looks.limits):
        served = not is_remote(source) or looks.served(source, revision)
        found = find_model(source, revision, setting=SETTING) if served else None
    if found is not None:
        looks.at(found)
    return {"findings": [asdict(finding) for finding in found_in(looks.work)]}


class Looks:
    """The parts of a model, each for itself."""

    def __init__(self, work: Path, limits: Limits) -> None:
        self.work, self.limits = work, limits

    def say(self, what: str, detail: str, *, ok: bool = True) -> None:
        """All well, or a warning."""
        leave(Finding(what, ok, detail, needed=False), self.work)

    @contextmanager
    def part(self, what: str, fix: str = FIX, limits: Limits | None = None) -> Iterator[None]:
        """Whatever the block raises is a failed finding."""
        try:
            with looking_at(what, fix, self.work, limits or self.limits), limited(limits or self.limits):
                yield
        except UserError as error:
            leave(Finding(what, False, str(error).removeprefix(f"{what}: ")), self.work)

    def served(self, source: str, revision: str | None) -> bool:
        """Whether the family can be served, from the config.json alone, before the rest is fetched."""
        try:
            config = fetch_config(source, revision)
        except ModelError:
            return True  # what cannot be had is said where all of it is fetched
        served = False
        with self.part("family"):
            served = described(config) is not None
        return served

    def at(self, source: Path) -> None:
        """All parts of a directory or a ``.gguf`` file."""
        whole, config, tokenizer, model = source.is_file(), None, None, None
        if not whole:
            with self.part("files"):
                whole = bool(check_model_directory(source))
        if whole:
            with self.part("family"):
                config = load_config(source)
                self._family(config)
        if config is not None:
            with self.part("masks"):
                self._masks(config)
        if whole:
            with self.part("tokenizer"):
                tokenizer = load_tokenizer(source)
                self._tokenizer(tokenizer)
        if config is not None:
            model = self._weights(source, config, tokenizer)
        fits = None if model is None else self._computed(model, tokenizer, source)
        asked = self._asked(source, tokenizer) if tokenizer is not None else None
        if config is not None:
            self._context(config, tokenizer, asked)
        self._rest({"config.json": config, "tokenizer": tokenizer, "weights": model, "ids": fits})

    def _family(self, config: "PretrainedConfig") -> None:
        from r1flow.components.core.attention import proven

        path = (
            "proven; rows are packed"
            if proven(config)
            else "plain path: its own forward, padded rows, slower and right"
        )
        self.say("family", f"{config.model_type}: {path}", ok=proven(config))

    def _masks(self, config: "PretrainedConfig") -> None:
        from r1flow.components.core.attention import masks_of

        masks = ", ".join(f"{what} in {count} layer{'s' * (count > 1)}" for what, count in masks_of(config).items())
        self.say("masks", masks)

    def _tokenizer(self, tokenizer: Any) -> None:
        unknown = num_unknown(tokenizer)
        lacks = (
            f", but for {unknown} of {len(PROBES)} with a character that it does not know: such problems are lost on it"
        )
        said = f"{len(tokenizer):,} tokens; gives the texts of the probe back"
        self.say("tokenizer", said + lacks * bool(unknown), ok=not unknown)

    def _weights(self, source: Path, config: "PretrainedConfig", tokenizer: Any) -> "PreTrainedModel | None":
        """The model, where its files fill it, the tokenizer works and this machine has room for it."""
        from r1flow.components.core.models import load_model

        stored = 0
        with self.part("weights"):
            check_weights(source, config)
            stored = stored_parameters(source)
        if not stored:
            return None
        kind = _fitting(stored)
        if tokenizer is None or kind is None:
            why = "the tokenizer failed" if kind else f"they take {stored * 2 / 1e9:.3g} GB and more than is free here"
            self.say("weights", f"{stored:,} stored numbers; only their headers were read, for {why}", ok=False)
            return None
        model = None
        with self.part("weights", limits=_more(self.limits, stored)):
            model = load_model(source, dtype=kind, tokenizer=tokenizer)
            count = sum(p.numel() for p in model.parameters())
            held = f"{count:,} parameters ({count * WIDTHS[kind] / 1e9:.3g} GB in {kind})"
            self.say("weights", f"{held}; none is missing, left over or not a number")
        return model

    def _computed(self, model: "PreTrainedModel", tokenizer: Any, source: Path) -> bool | None:
        """Head, ties, ids and probe; None where the model lacks ids of the tokenizer's."""
        from r1flow.components.core.logits import form_of
        from r1flow.components.sampling.proof import LIMITS

        head: Any = model.get_output_embeddings()
        form, bias = form_of(model), " plus a bias" if getattr(head, "bias", None) is not None else ""
        scale = f", times {form.scale:g}" if form.scale != 1 else ""
        cap = f", capped softly at {form.softcap:g}" if form.softcap else ""
        self.say("head", f"states times the output embedding{bias}{scale}{cap} (measured)")
        tied = head.weight is model.get_input_embeddings().weight
        self.say("ties", "the head is the embedding" if tied else "the head is a matrix of its own")
        fits = None
        with self.part("ids", "give a tokenizer and a model that belong together"):
            beyond = check_ids(model, tokenizer, source)
            never = f"the model has {beyond:,} beyond the tokenizer's, which are never drawn"
            self.say("ids", never if beyond else "the model's are the tokenizer's")
            fits = True
        if not fits:
            return None
        with self.part("probe", limits=_more(self.limits, model.num_parameters())):
            apart = check_sampling(model, tokenizer)
            bound = f"bound {LIMITS[model.dtype]:g}{' on average' if WIDTHS[_kind(model)] == 2 else ''}"
            self.say("probe", f"sampled log-probabilities are {apart:.2g} nats from its own forward, at most ({bound})")
        return fits

    def _asked(self, source: Path, tokenizer: Any) -> PromptConfig | None:
        """Template, beginning and ends; the prompt, where its template works."""
        prompt = PromptConfig(template=FROM_TOKENIZER) if tokenizer.chat_template else PromptConfig()
        works = False
        with self.part("template", other_template(prompt.template)):
            told = check_template(prompt, tokenizer)
            self._template(prompt, told)
            works = True
        if not works:
            return None
        with self.part("beginning", "correct the chat template, or name another"):
            self._beginning(tokenizer, prompt)
        with self.part("ends", "name tokens that it has in prompt.end_tokens"):
            ends = check_ends(prompt, tokenizer, source)
            trained = str(tokenizer.convert_ids_to_tokens(ends.trained))
            closed = f"the template closes turns with {trained}" if ends.trained in closing(tokenizer, prompt) else ""
            behind = closed or f"SFT trains {trained}, for the template closes no turn"
            self.say("ends", f"{', '.join(names(tokenizer, ends))}; {behind}")
        return prompt

    def _template(self, prompt: PromptConfig, told: Asked) -> None:
        if prompt.template != FROM_TOKENIZER:
            fix = f"set prompt.template = {prompt.template!r}, or give the tokenizer one"
            self.say("template", f"the model has no chat template; {fix}", ok=False)
            return
        thought = "leaves the thought to the model"
        if told.opens_thought:
            thought = "opens a thought, in which completions begin"
        elif told.closes_thought:
            thought = "opens and closes an empty thought, so that completions have none"
        read = ", ".join(template_variables(told.text)) or "none"
        self.say("template", f"its own; {thought}; prompt.variables that it reads: {read}")

    def _beginning(self, tokenizer: Any, prompt: PromptConfig) -> None:
        start, ids = beginning(tokenizer), encode_prompt(tokenizer, prompt, PROBE)
        if not start:
            self.say("beginning", "the tokenizer puts nothing before a text")
            return
        shown = "".join(tokenizer.convert_ids_to_tokens(list(start)))
        if ids[len(start) : len(start) + 1] == start[:1]:
            raise ModelError(f"the tokenizer puts {shown} before a text, and a prompt of the template has it twice")
        self.say("beginning", f"the tokenizer puts {shown} before a text, and a prompt has it once")

    def _context(self, config: "PretrainedConfig", tokenizer: Any, prompt: PromptConfig | None) -> None:
        positions = known_positions(config)
        told = "no bound is known" if positions is None else f"{positions:,} positions for prompt and completion"
        if prompt is None:
            self.say("context", told)
            return
        with self.part("context"):
            most = default_tokens(len(encode_prompt(tokenizer, prompt, PROBE)), positions)
            self.say("context", f"{told}; max_tokens where nobody says: {most}")

    def _rest(self, had: dict[str, object]) -> None:
        if lacking := [name for name, value in had.items() if value is None]:
            self.say("the rest", f"what needs {' and '.join(lacking)} was not looked at", ok=False)


def _fitting(parameters: int) -> str | None:
    """The dtype in which so many numbers can be loaded here."""
    free = psutil.virtual_memory().available
    return next((kind for kind, width in WIDTHS.items() if COPIES * width * parameters < free), None)


def _more(limits: Limits, parameters: int) -> Limits:
    """Of weights: what so many take."""
    memory = limits.memory + COPIES * WIDTHS["float32"] * parameters
    return Limits(cpu_s=limits.cpu_s + parameters / PARAMETERS_PER_S, memory=memory)


def _kind(model: "PreTrainedModel") -> str:
    return str(model.dtype).removeprefix("torch.")
