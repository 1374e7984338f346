"""``r1 show masks``: what supervised training reads and what it trains on, token by token."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from r1flow.components.core.errors import DataError
from r1flow.components.core.schema import Row
from r1flow.components.data.files import load_rows
from r1flow.components.evals.lake.generations import data_of, holds_model, inputs_of, prompt_of
from r1flow.components.evals.report.samples import printable
from r1flow.components.recipe.presets import load_recipe, preset_names
from r1flow.components.recipe.settings import Settings
from r1flow.components.store.artifact import ArtifactRef, Manifest, all_artifacts, materialize, read_manifest, resolve
from r1flow.components.store.objects import ObjectStore, open_store
from r1flow.components.store.runs import recipe_name

if TYPE_CHECKING:
    from r1flow.components.training.sft.encode import Tokenizer
    from r1flow.components.training.sft.example import Example

KINDS = ("selection", "sft", "dataset")
FILES = ("sft.jsonl", "general.jsonl")
"""Where completions to learn from lie; the second in datasets from before 0.2, beside their problems."""
MARKS = {False: ("read ", "dim"), True: ("train", "bold green")}
BETWEEN = "\u00b7"


def show_masks(text: str, model: str | None, rows: int) -> None:
    """The first ``rows`` rows of SFT data as an SFT stage encodes them.

    ``text`` names a selection, a dataset of demonstrations, the model that was trained on such, or a preset, for the newest
    selection that runs of this recipe have made. ``model`` names the tokenizer's artifact or directory.
    """
    from r1flow.components.core.models import load_tokenizer
    from r1flow.components.data.ends import find_ends
    from r1flow.components.training.sft.encode import taught

    settings = Settings()
    store = open_store(settings.store_uri)
    ref = _newest(store, text) if text in preset_names() or text.endswith(".toml") else resolve(store, text)
    manifest = read_manifest(store, ref)
    if ref.kind not in KINDS:
        raise DataError(f"{text}: a {ref.kind} artifact teaches nothing by example; name a {', '.join(KINDS)} (r1 ls)")
    directory, owner = _model(store, settings, ref, manifest, model)
    tokenizer = load_tokenizer(directory)
    asked = prompt_of(manifest, owner)
    ends = find_ends(tokenizer, directory, asked)
    end = tokenizer.convert_ids_to_tokens(ends.trained)
    console = Console()
    console.print(f"[bold]{ref.short}[/]  template {asked.template}, end token {end}")
    data = data_of(manifest) if ref.kind == "sft" else [ref]
    for row in islice(chain.from_iterable(load_rows(_file(store, settings, source)) for source in data), rows):
        _print(console, tokenizer, taught(tokenizer, asked, row, ends), row)


def _newest(store: ObjectStore, preset: str) -> ArtifactRef:
    """The last selection that a run of the recipe ``preset`` has made."""
    name = load_recipe(preset).name
    made = [
        (manifest.provenance.get("started", 0), ref)
        for ref, manifest in all_artifacts(store)
        if ref.kind == "selection" and recipe_name(manifest.provenance) == name
    ]
    if not made:
        raise DataError(f"{store.uri} holds no selection of {name}; `r1 run {preset}` makes one")
    return max(made, key=lambda pair: pair[0])[1]


def _model(
    store: ObjectStore, settings: Settings, ref: ArtifactRef, manifest: Manifest, model: str | None
) -> tuple[Path, Manifest | None]:
    """The tokenizer's directory and the artifact that it lies in: ``model``, the trained model itself, or the policy that was
    sampled. A plain directory lies in none."""
    if model is not None and Path(model).expanduser().is_dir():
        return Path(model).expanduser(), None
    source = (
        resolve(store, model) if model is not None else ref if ref.kind == "sft" else inputs_of(manifest).get("from")
    )
    if source is None:
        raise DataError(f"{ref.short} belongs to no model; name one with --model")
    owner = read_manifest(store, source)
    if not holds_model(owner):
        raise DataError(f"{source.short} holds no model; name one with --model (r1 ls)")
    return materialize(store, source, settings.cache, "model") / "model", owner


def _file(store: ObjectStore, settings: Settings, data: ArtifactRef) -> Path:
    """Its completions to learn from. DataError for a dataset of problems."""
    held = {entry.path for entry in read_manifest(store, data).files}
    name = next((name for name in FILES if name in held), None)
    if name is None:
        raise DataError(f"{data.short} holds problems and no completions to learn from; name a selection (r1 ls)")
    return materialize(store, data, settings.cache, name) / name


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
