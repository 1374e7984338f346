"""``r1 show masks``: what supervised training reads and what it trains on, token by token."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from r1flow.components.core.errors import DataError
from r1flow.components.core.schema import Row
from r1flow.components.data.files import load_rows
from r1flow.components.evals.report.samples import printable
from r1flow.components.recipe.presets import load_recipe
from r1flow.components.recipe.recipe import PromptConfig, preset_names
from r1flow.components.recipe.settings import Settings
from r1flow.components.store.artifact import ArtifactRef, Manifest, all_artifacts, materialize, read_manifest, resolve
from r1flow.components.store.objects import ObjectStore, open_store

if TYPE_CHECKING:
    from r1flow.components.training.sft.encode import Tokenizer
    from r1flow.components.training.sft.example import Example

KINDS = ("selection", "sft", "dataset")
MARKS = {False: ("read ", "dim"), True: ("train", "bold green")}
BETWEEN = "\u00b7"


def show_masks(text: str, model: str | None, rows: int) -> None:
    """The first ``rows`` rows of a teaching set as an SFT stage encodes them.

    ``text`` names a selection, the model that was trained on one, a dataset (of which the general data is shown), or a
    preset, for the newest selection that its runs have made. ``model`` names the tokenizer's artifact or directory.
    """
    from r1flow.components.core.models import load_tokenizer
    from r1flow.components.training.sft.encode import taught

    settings = Settings()
    store = open_store(settings.store_uri)
    ref = _newest(store, text) if text in preset_names() or text.endswith(".toml") else resolve(store, text)
    manifest = read_manifest(store, ref)
    if ref.kind not in KINDS:
        raise DataError(f"{text}: a {ref.kind} artifact teaches nothing by example; name a {', '.join(KINDS)} (r1 ls)")
    tokenizer = load_tokenizer(_model(store, settings, ref, manifest, model))
    template = PromptConfig.model_validate(manifest.config["prompt"]).template
    console = Console()
    console.print(f"[bold]{ref.short}[/]  template {template}, end token {tokenizer.eos_token}")
    path = _teaching_file(store, settings, ref, manifest)
    for row in load_rows(path)[:rows]:
        _print(console, tokenizer, taught(tokenizer, template, row), row)


def _newest(store: ObjectStore, preset: str) -> ArtifactRef:
    """The last selection that a run of ``preset`` has made."""
    name = load_recipe(preset).preset
    made = [
        (manifest.provenance.get("started", 0), ref)
        for ref, manifest in all_artifacts(store)
        if ref.kind == "selection" and manifest.provenance.get("preset") == name
    ]
    if not made:
        raise DataError(f"{store.uri} holds no teaching set of {name}; `r1 run {preset}` makes one")
    return max(made, key=lambda pair: pair[0])[1]


def _model(store: ObjectStore, settings: Settings, ref: ArtifactRef, manifest: Manifest, model: str | None) -> Path:
    """The directory of the tokenizer: of ``model``, of the trained model itself, or of the policy that was sampled."""
    if model is not None and Path(model).expanduser().is_dir():
        return Path(model).expanduser()
    if model is not None:
        source = resolve(store, model)
    elif ref.kind == "sft":
        source = ref
    elif "policy" in manifest.inputs:
        source = manifest.inputs["policy"]
    else:
        raise DataError(f"{ref.short} belongs to no model; name one with --model")
    if not any(entry.path.startswith("model/") for entry in read_manifest(store, source).files):
        raise DataError(f"{source.short} holds no model; name another with --model (r1 ls)")
    return materialize(store, source, settings.cache, "model") / "model"


def _teaching_file(store: ObjectStore, settings: Settings, ref: ArtifactRef, manifest: Manifest) -> Path:
    source = manifest.inputs["dataset"] if ref.kind == "sft" else ref
    name = "general.jsonl" if ref.kind == "dataset" else "sft.jsonl"
    return materialize(store, source, settings.cache, name) / name


def _print(console: Console, tokenizer: Tokenizer, example: Example, row: Row) -> None:
    """A line per run of tokens, marked ``read`` or ``train``; tokens are parted by a raised dot."""
    console.print(
        f"\n{row.id}: {len(example.ids)} tokens, {example.num_trained} trained on", style="bold", markup=False
    )
    for trained, tokens in _runs(tokenizer, example):
        mark, style = MARKS[trained]
        line = Text(f"  {mark}  ", style=style)
        line.append(BETWEEN.join(tokens), style=style)
        console.print(line, highlight=False, soft_wrap=True)


def _runs(tokenizer: Tokenizer, example: Example) -> Iterator[tuple[bool, list[str]]]:
    """Tokens as text, line ends and other controls made visible, in runs of one kind."""
    pairs = zip(example.trained, example.ids, strict=True)
    for trained, run in groupby(pairs, key=lambda pair: pair[0]):
        yield trained, [_visible(tokenizer, token) for _, token in run]


def _visible(tokenizer: Tokenizer, token: int) -> str:
    return printable(str(tokenizer.decode([token]))).replace("\n", "\\n").replace("\t", "\\t")
