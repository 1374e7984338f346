"""Steps, tokens and operations of every stage of a recipe, and seconds from a rate. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from r1flow.components.costs.decoder import Decoder
from r1flow.components.costs.ranks import ranks_of
from r1flow.components.recipe.grpo import GrpoConfig
from r1flow.components.recipe.kinds import IMPLIED
from r1flow.components.recipe.recipe import Recipe
from r1flow.components.recipe.stages import RateStage, RlStage, SelectStage, SftStage, Stage
from r1flow.components.training.rl.flops import Cost, group_flops

SAMPLING_SHARE, TRAINING_SHARE = 0.02, 0.30
"""Assumed MFU on a GPU. Training: 0.3 to 0.4 is published by verl. Sampling reads all weights for every token: 2 % puts 80 to 90
% of a step into generation, as OpenRLHF and verl report, and a 7B model at about 1,000 tokens/s and H100 (SimpleRL: about
800)."""
PROMPT = 256
"""Tokens of a prompt, where nothing was measured."""
LONGEST = 4096
"""Tokens of a demonstration, where nobody knows."""
BACKWARD = 3
"""Forward passes that an update is worth: itself and twice that backward."""


@dataclass(frozen=True)
class Lengths:
    """Mean tokens of a prompt and of a completion; ``completion`` None is the longest that is allowed."""

    prompt: float = PROMPT
    completion: float | None = None

    def of(self, longest: int) -> float:
        return float(longest) if self.completion is None else min(self.completion, float(longest))


@dataclass(frozen=True)
class Rates:
    """FLOP/s of one rank, by phase; ``source`` says where they come from."""

    sampling: float
    training: float
    source: str


@dataclass(frozen=True)
class Work:
    """What a stage does: ``sampling`` and ``training`` are operations, ``out`` tokens generated, ``read`` tokens trained on.

    ``ranks`` share it evenly.
    """

    stage: str
    steps: int
    out: float = 0.0
    read: float = 0.0
    sampling: float = 0.0
    training: float = 0.0
    ranks: int = 1

    def seconds(self, rates: Rates) -> float:
        return (self.sampling / rates.sampling + self.training / rates.training) / self.ranks


def cost(model: Decoder) -> Cost:
    """The decoder as :mod:`r1flow.components.training.rl.flops` counts it."""
    return Cost(model.body, model.head, model.layers * model.queries)


def rl_work(stage: str, config: GrpoConfig, model: Decoder, lengths: Lengths, ranks: int = 1) -> Work:
    """``steps`` times: one forward pass to sample; to train three, one for old log-probabilities (several mini-batches, or PPO
    with a reference), one for a reference, four for PPO's value model. Every completion is taken to have a gradient."""
    prompts, samples = config.prompts_per_step, config.samples_per_prompt
    completion = lengths.of(config.max_tokens)
    forward = prompts * _group(model, lengths.prompt, completion, samples)
    old = config.mini_batches > 1 or (config.ppo is not None and bool(config.kl_weight))
    passes = BACKWARD + old + bool(config.kl_weight) + 4 * bool(config.ppo)
    tokens = config.steps * prompts * samples * completion
    return Work(stage, config.steps, tokens, tokens, config.steps * forward, config.steps * passes * forward, ranks)


@dataclass(frozen=True)
class Rating:
    """Completions of every problem, and the longest of them."""

    samples: int
    max_tokens: int


def rating_work(stage: str, rating: Rating, problems: int, model: Decoder, lengths: Lengths) -> Work:
    """A model's answers to all problems: nothing but sampling."""
    completion, samples = lengths.of(rating.max_tokens), rating.samples
    forward = problems * _group(model, lengths.prompt, completion, samples)
    return Work(stage, 0, problems * samples * completion, 0.0, forward)


def sft_work(stage: str, config: SftStage, examples: int, model: Decoder, lengths: Lengths, longest: int) -> Work:
    """``epochs`` passes over ``examples``, three forward passes' worth each."""
    prompt, completion = row_within(model, lengths.prompt, lengths.of(longest))
    steps = config.epochs * -(-examples // config.batch_size)
    forward = examples * _group(model, prompt, completion, 1)
    return Work(stage, steps, 0.0, config.epochs * examples * completion, 0.0, config.epochs * BACKWARD * forward)


def evaluation_work(recipe: Recipe, stage: str, model: Decoder, lengths: Lengths) -> Work:
    """All suites, once: nothing but sampling."""
    out = flops = 0.0
    chosen = recipe.evaluate.suites
    for suite in (recipe.suites[name] for name in (recipe.suites if chosen is None else chosen)):
        completion = lengths.of(suite.max_tokens)
        out += suite.problems * suite.samples * completion
        flops += suite.problems * _group(model, lengths.prompt, completion, suite.samples)
    return Work(stage, 0, out, 0.0, flops)


def row_within(model: Decoder, prompt: float, completion: float) -> tuple[float, float]:
    """Both, as long as a row of SFT data can be, for longer ones are left out; at most half of the positions is the prompt's."""
    if model.positions is None:
        return prompt, completion
    prompt = min(prompt, model.positions // 2)
    return prompt, min(completion, model.positions - prompt)


def recipe_work(recipe: Recipe, models: Mapping[str, Decoder], lengths: Lengths) -> Iterator[Work]:
    """Every node that computes with one of ``models``, training before evaluations; these are by start model.

    Pass rates are planned where the recipe says how many problems there are. SFT data is taken to be as large as its
    settings allow, and as long as the RL stage that it was sampled from may write.
    """
    graph = recipe.graph
    evaluations: list[Work] = []
    for name, node in graph.nodes.items():
        model = models.get(recipe.start_of(node.subject or name))
        if model is None:
            continue
        stage = recipe.stages.get(node.subject or name)
        if node.kind is IMPLIED["evaluate"]:
            evaluations.append(evaluation_work(recipe, name, model, lengths))
        elif node.kind.name == "rate" and (problems := _problems(recipe, stage)):
            yield rating_work(name, rating_of(stage), problems, model, lengths)
        elif isinstance(stage, RlStage) and name in recipe.stages:
            yield rl_work(name, stage, model, lengths, ranks_of(recipe.run.engine, node.kind))
        elif isinstance(stage, SftStage):
            examples, longest = sft_data(recipe, stage)
            if examples:
                yield sft_work(name, stage, examples, model, lengths, longest)
    yield from evaluations


def rating_of(stage: Stage | None) -> Rating:
    """Samples and length of the answers by which problems are rated."""
    if isinstance(stage, RateStage):
        return Rating(stage.samples, stage.max_tokens)
    assert isinstance(stage, RlStage)
    assert stage.difficulty is not None
    return Rating(stage.difficulty.samples, stage.max_tokens)


def _problems(recipe: Recipe, stage: Stage | None) -> int:
    """Problems that a stage draws from or rates, where the recipe itself says how many; 0 where only the data does."""
    if not isinstance(stage, RlStage | RateStage) or stage.data not in recipe.datasets:
        return 0
    skills = stage.skills if isinstance(stage, RateStage) else [s for s, share in stage.mixture.items() if share]
    sources = [s for s in recipe.datasets[stage.data].sources.values() if not skills or s.skill_of_rows in skills]
    known = [source.rows or source.size for source in sources]
    return sum(filter(None, known)) if all(known) else 0


def sft_data(recipe: Recipe, stage: SftStage) -> tuple[int, int]:
    """Most rows of a stage's data, and the longest completion in it; 0 rows where only the data knows."""
    names = [stage.data] if isinstance(stage.data, str) else list(stage.data)
    sets = [_set(recipe, name) for name in names]
    if isinstance(stage.data, Mapping):
        rows = sum(amount.rows or 0 for amount in stage.data.values())
        share = sum(amount.share or 0 for amount in stage.data.values())
        total = round(rows / (1 - share)) if rows and share < 1 else rows or sum(size for size, _ in sets)
    else:
        total = sum(size for size, _ in sets) if all(size for size, _ in sets) else 0
    return total, max(longest for _, longest in sets)


def _set(recipe: Recipe, name: str) -> tuple[int, int]:
    """Most rows of one set, and its longest completion."""
    stage = recipe.stages.get(name)
    if isinstance(stage, SelectStage):
        source = recipe.stages.get(stage.source)
        longest = source.max_tokens if isinstance(source, RlStage) else LONGEST
        shares = sum(amount.share or 0 for amount in stage.mix.values())
        added = sum(amount.rows or 0 for amount in stage.mix.values())
        return round(stage.examples / (1 - shares)) + added, longest
    dataset = recipe.datasets.get(name)
    known = [source.rows or source.size for source in dataset.sources.values()] if dataset else []
    return (sum(filter(None, known)) if known and all(known) else 0), LONGEST


def _group(model: Decoder, prompt: float, completion: float, samples: int) -> float:
    return group_flops(cost(model), round(prompt), [round(completion)] * samples)
