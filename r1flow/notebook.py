"""The public functions: a recipe, its run, the store and its rollouts, a model's samples and scores, a verdict."""

import atexit
import contextlib
import functools
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from r1flow.components.core.artifacts import Policy
from r1flow.components.core.errors import DataError
from r1flow.components.programs.admission import admit, admit_store
from r1flow.components.recipe.models import PromptConfig
from r1flow.components.recipe.presets import make_recipe, read_recipe
from r1flow.components.recipe.recipe import Recipe
from r1flow.components.recipe.settings import Settings
from r1flow.components.store import objects
from r1flow.components.store.artifact import materialize, resolve
from r1flow.components.tracking.promotions import named_model, own_prompt

if TYPE_CHECKING:
    from r1flow.components.rewards.base import Score
    from r1flow.components.store.objects import ObjectStore


def load_recipe(recipe: str | Mapping[str, Any], settings: Mapping[str, Any] | None = None) -> Recipe:
    """A preset's name, a TOML file or plain data, with dotted ``settings`` on top: ``{"dev2.steps": 10, "seed": 1}``.

    Raises ConfigError with a line per wrong field, its place and the nearest right name.
    """
    data = read_recipe(recipe) if isinstance(recipe, str) else recipe
    return make_recipe(data, (settings or {}).items())


def run(recipe: Recipe, *, only: Sequence[str] = (), **machine: Any) -> dict[str, Any]:
    """Run a recipe, or ``only`` some of its stages with what they need; the run's summary, as `r1 run --json` writes it.

    ``machine``: settings of this machine in place of the ``R1_*`` variables, such as ``home=...`` or ``store="s3://..."``.
    Raises what the first stage raised that failed; everything else has ended by then.
    """
    settings = Settings.model_validate(machine)
    settings.prepare()
    graph = recipe.graph.only(only) if only else recipe.graph
    admit_store(objects.open_store(settings.store_uri))
    admit(recipe, graph)
    started = time.monotonic()
    _prefect(settings)
    from r1flow.flows.pipeline import pipeline
    from r1flow.tasks.session import session

    with session(recipe, settings) as here:
        here.started = started
        pipeline(recipe=recipe.model_dump(mode="json", exclude_none=True), only=list(only) or None)
    return here.summary


@functools.cache
def _prefect_once(home: Path, configured: str) -> None:
    from r1flow.tasks.prefect_api import orchestrator

    stack = contextlib.ExitStack()
    stack.enter_context(orchestrator(home, configured))
    atexit.register(stack.close)


def _prefect(settings: Settings) -> None:
    """One Prefect API for this process, until it ends: Prefect reads its settings once."""
    if not _prefect_once.cache_info().currsize:
        _prefect_once(settings.home / "prefect", settings.prefect_api_url)


def open_store(uri: str = "") -> "ObjectStore":
    """The object store at ``uri``; without one that of ``R1_STORE`` and ``R1_HOME``."""
    return objects.open_store(uri or Settings().store_uri)


def rollouts(artifact: str, columns: Sequence[str] | None = None, *, store: str = "") -> Iterator[dict[str, Any]]:
    """Every completion of an RL stage, one after another, in the order in which they were sampled.

    ``artifact`` as `r1 ls` shows it. Columns: step, prompt_id, sample, text, reward, rewards, verdict, language, ids, logprobs
    and so on. Raises DataError where it holds no rollouts.
    """
    from r1flow.components.store.rollouts import lake

    where = open_store(store)
    ref = resolve(where, artifact)
    directory = Policy(materialize(where, ref, Settings().cache)).lake
    if not directory.is_dir():
        raise DataError(f"{artifact}: a {ref.kind} artifact holds no rollouts; name an rl artifact (r1 ls)")
    return lake.read(directory, list(columns) if columns is not None else lake.SCHEMA.names)


def sample(
    model: str,
    prompts: Sequence[str],
    *,
    num: int = 1,
    max_tokens: int | None = None,
    temperature: float = 0.6,
    seed: int = 0,
    template: str | None = None,
) -> list[list[str]]:
    """``num`` completions of every prompt. ``model``: an artifact, a stage of the last run, `champion`, a model directory or a
    hub id. ``max_tokens`` None: 256, or what the model has room for."""
    from r1flow.components.core.models import load_model, load_tokenizer
    from r1flow.components.core.positions import known_positions
    from r1flow.components.core.seeds import derive_seed
    from r1flow.components.data.encode import encode_prompt
    from r1flow.components.data.ends import find_ends
    from r1flow.components.sampling.base import Request, Sampling
    from r1flow.components.sampling.context import default_tokens
    from r1flow.components.sampling.transformers import TransformersSampler
    from r1flow.components.store.models import locate_model

    store = open_store()
    source, asked = own_prompt(store, model)
    own = PromptConfig.model_validate(asked.get("prompt", {"template": "tokenizer"}))
    config = PromptConfig(template=template, end_tokens=own.end_tokens) if template else own
    if asked:
        directory = Policy(materialize(store, named_model(store, source), Settings().cache, "model")).model
    else:
        directory = locate_model(source)
    tokenizer = load_tokenizer(directory)
    ids = [encode_prompt(tokenizer, config, prompt) for prompt in prompts]
    requests = [
        Request(prompt, derive_seed(seed, "sample", place, number))
        for place, prompt in enumerate(ids)
        for number in range(num)
    ]
    ends = find_ends(tokenizer, directory, config)
    loaded = load_model(directory, tokenizer=tokenizer)
    sampler = TransformersSampler(loaded, eos_id=ends.ids, pad_id=tokenizer.pad_token_id)
    if max_tokens is None:
        max_tokens = default_tokens(max(map(len, ids), default=0), known_positions(loaded.config))
    found = sampler.generate(requests, Sampling(max_tokens, temperature))
    answers = [str(tokenizer.decode(ends.cut(completion.ids), skip_special_tokens=True)) for completion in found]
    return [answers[start : start + num] for start in range(0, len(answers), num)]


def evaluate(
    model: str, suites: Sequence[str], settings: Mapping[str, Any] | None = None, **machine: Any
) -> dict[str, float]:
    """Metrics of ``model`` on shipped ``suites``, with intervals: ``{"math500/pass_at_1": 0.5, ...}``. Reused where known.

    ``settings``: ``{"suites.math500.source.uri": FILE}`` and the like, dotted.
    """
    store = open_store(Settings.model_validate(machine).store_uri)
    source, asked = own_prompt(store, model)
    asked = {"prompt": {"template": "tokenizer"}, **asked}
    data = {
        "name": "evaluate",
        "models": {"model": {"source": source, **asked}},
        "suites": {s: {"known": s} for s in suites},
    }
    summary = run(load_recipe(data, settings), **machine)
    stage = next(stage for stage in summary["stages"] if stage["name"] == "evaluate/model")
    return {name: float(value) for name, value in stage["metrics"].items() if value is not None}


def verify(completion: str, gold: str, *, verifier: str = "math") -> "Score":
    """The verdict of training's own verifier (`math`, `choice` or `exact`) on one completion, in a process that can be killed."""
    from r1flow.components.core.schema import Row
    from r1flow.components.rewards.accuracy import quick_score
    from r1flow.components.rewards.pool.pool import Job, ScoringPool

    row = Row.model_validate({"id": "one", "prompt": "", "answer": gold, "verifier": verifier, "source": "here"})
    if (score := quick_score(completion, row)) is not None:
        return score
    with ScoringPool(1) as pool:
        return pool.score([Job(completion, row)])[0]
