"""``r1 sample``: a few completions of one prompt."""

from pathlib import Path

from rich.console import Console

from r1flow.components.core.errors import ModelError
from r1flow.components.core.gguf import SUFFIX
from r1flow.components.evals.lake.generations import holds_model, prompt_of
from r1flow.components.recipe.kinds import MODELS
from r1flow.components.recipe.models import PromptConfig
from r1flow.components.recipe.settings import Settings
from r1flow.components.store.artifact import materialize, read_manifest
from r1flow.components.store.models import S3, locate_model
from r1flow.components.store.objects import open_store
from r1flow.components.tracking.promotions import named_model


def draw(
    model: str, prompt: str, *, num: int, template: str | None, max_tokens: int | None, temperature: float, seed: int
) -> None:
    """Print ``num`` completions. ``model`` is a directory, a ``.gguf`` file, an artifact, or `champion` of a registered model."""
    directory, asked = _find(model)
    if template:
        asked = PromptConfig(template=template, end_tokens=asked.end_tokens)
    from r1flow.components.core.models import load_model, load_tokenizer
    from r1flow.components.core.positions import known_positions
    from r1flow.components.core.seeds import derive_seed
    from r1flow.components.data.chat import render
    from r1flow.components.data.encode import encode_prompt
    from r1flow.components.data.ends import find_ends
    from r1flow.components.sampling.base import Request, Sampling
    from r1flow.components.sampling.context import default_tokens
    from r1flow.components.sampling.transformers import TransformersSampler

    tokenizer = load_tokenizer(directory)
    ids = encode_prompt(tokenizer, asked, prompt)
    ends = find_ends(tokenizer, directory, asked)
    loaded = load_model(directory, tokenizer=tokenizer)
    sampler = TransformersSampler(loaded, eos_id=ends.ids, pad_id=tokenizer.pad_token_id)
    requests = [Request(ids, derive_seed(seed, "sample", index)) for index in range(num)]
    most = max_tokens or default_tokens(len(ids), known_positions(loaded.config))
    console, text = Console(), render(asked, prompt, tokenizer)
    for completion in sampler.generate(requests, Sampling(most, temperature)):
        answer = tokenizer.decode(ends.cut(completion.ids), skip_special_tokens=True)
        console.print(text, style="dim", end="", markup=False, highlight=False)
        console.print(answer, markup=False, highlight=False)


def _find(model: str) -> tuple[Path, PromptConfig]:
    if Path(model).expanduser().is_dir() or model.endswith(SUFFIX) or model.startswith(S3):
        return locate_model(model, setting="MODEL"), PromptConfig(template="tokenizer")
    settings = Settings()
    store = open_store(settings.store_uri)
    ref = named_model(store, model)
    manifest = read_manifest(store, ref)
    if not holds_model(manifest):
        raise ModelError(f"{model}: a {ref.kind} artifact holds no model; name a {', '.join(MODELS)} artifact (r1 ls)")
    return materialize(store, ref, settings.cache, "model") / "model", prompt_of(manifest)
