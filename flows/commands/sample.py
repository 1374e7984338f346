"""``r1 sample``: a few completions of one prompt."""

from pathlib import Path

from rich.console import Console

from components.config.recipe import PromptConfig
from components.config.settings import Settings
from components.errors import DataError, ModelError
from components.models import check_model_directory
from components.store.artifact import materialize, read_manifest, resolve
from components.store.objects import open_store
from components.tracking.promotions import only_model, promotions


def draw(
    model: str, prompt: str, *, num: int, template: str | None, max_tokens: int, temperature: float, seed: int
) -> None:
    """Print ``num`` completions. ``model`` is a directory, an artifact, or `champion` of a registered model."""
    directory, own_template = _find(model)
    from components.data.chat import render
    from components.models import load_model, load_tokenizer
    from components.sampling.base import Request, Sampling
    from components.sampling.transformers import TransformersSampler
    from components.seeds import derive_seed

    tokenizer = load_tokenizer(directory)
    text = render(template or own_template, prompt, tokenizer)
    ids = tuple(tokenizer(text, add_special_tokens=False)["input_ids"])
    sampler = TransformersSampler(load_model(directory), eos_id=tokenizer.eos_token_id, pad_id=tokenizer.pad_token_id)
    requests = [Request(ids, derive_seed(seed, "sample", index)) for index in range(num)]
    console = Console()
    for completion in sampler.generate(requests, Sampling(max_tokens, temperature)):
        answer = tokenizer.decode(completion.ids, skip_special_tokens=True)
        console.print(text, style="dim", end="", markup=False, highlight=False)
        console.print(answer, markup=False, highlight=False)


def _find(model: str) -> tuple[Path, str]:
    path = Path(model).expanduser()
    if path.is_dir():
        return check_model_directory(path), "tokenizer"
    settings = Settings()
    store = open_store(settings.store_uri)
    if model == "champion" or model.startswith("champion:"):
        name = model.partition(":")[2] or only_model(store)
        log = promotions(store, name)
        if not log:
            raise DataError(f"{name} has no champion yet; `r1 run` promotes one when its gate opens")
        ref = log[-1].ref
    else:
        ref = resolve(store, model)
    directory = materialize(store, ref, settings.cache) / "model"
    if not directory.is_dir():
        raise ModelError(f"{model}: a {ref.kind} artifact holds no model; name a grpo, sft or model artifact (r1 ls)")
    prompt = PromptConfig.model_validate(read_manifest(store, ref).config["prompt"])
    return directory, prompt.template
