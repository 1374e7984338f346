"""Steps, tokens and operations of every stage of a recipe, and seconds from a rate. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from r1flow.components.costs.decoder import Decoder
from r1flow.components.costs.ranks import ranks_of
from r1flow.components.recipe.grpo import GrpoConfig
from r1flow.components.recipe.recipe import Recipe
from r1flow.components.recipe.stages import SftConfig
from r1flow.components.training.rl.flops import Cost, group_flops

SAMPLING_SHARE, TRAINING_SHARE = 0.02, 0.30
"""Assumed MFU on a GPU. Training: 0.3 to 0.4 is published by verl. Sampling reads all weights for every token: 2 % puts 80 to 90
% of a step into generation, as OpenRLHF and verl report, and a 7B model at about 1,000 tokens/s and H100 (SimpleRL: about
800)."""
PROMPT = 256
"""Tokens of a prompt, where nothing was measured."""
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
    """The decoder as :mod:`components.training.rl.flops` counts it."""
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


def rating_work(stage: str, config: GrpoConfig, problems: int, model: Decoder, lengths: Lengths) -> Work:
    """The start model's answers to all problems, which ``difficulty`` chooses by."""
    assert config.difficulty is not None
    completion, samples = lengths.of(config.max_tokens), config.difficulty.samples
    forward = problems * _group(model, lengths.prompt, completion, samples)
    return Work(f"{stage}/difficulty", 0, problems * samples * completion, 0.0, forward)


def sft_work(stage: str, config: SftConfig, examples: int, model: Decoder, lengths: Lengths, longest: int) -> Work:
    """``epochs`` passes over ``examples``, three forward passes' worth each."""
    completion = lengths.of(longest)
    steps = config.epochs * -(-examples // config.batch_size)
    forward = examples * _group(model, lengths.prompt, completion, 1)
    return Work(stage, steps, 0.0, config.epochs * examples * completion, 0.0, config.epochs * BACKWARD * forward)


def evaluation_work(recipe: Recipe, stage: str, model: Decoder, lengths: Lengths) -> Work:
    """All suites, once: nothing but sampling."""
    out = flops = 0.0
    for suite in recipe.suites.values():
        completion = lengths.of(suite.max_tokens)
        out += suite.problems * suite.samples * completion
        flops += suite.problems * _group(model, lengths.prompt, completion, suite.samples)
    return Work(stage, 0, out, 0.0, flops)


def recipe_work(recipe: Recipe, models: dict[str, Decoder], lengths: Lengths) -> Iterator[Work]:
    """Every stage that computes with a model, in the recipe's order; ``models`` has ``base`` and ``student`` as far as known.

    Where ``difficulty`` wants problems rated and their number is known, that is a stage as well. Teaching sets are taken
    to be as large as their settings allow, and as long as what the RL stage before may write.
    """
    base, student = models.get("base"), models.get("student")
    ranks = ranks_of(recipe.run.engine, "grpo")
    measured: list[tuple[str, Decoder]] = []

    def rl(name: str, config: GrpoConfig, model: Decoder) -> Iterator[Work]:
        if config.difficulty and not config.difficulty.ledger and (problems := _problems(recipe, config)):
            yield rating_work(name, config, problems, model, lengths)
        yield rl_work(name, config, model, lengths, ranks)

    if base and recipe.flow in ("r1", "r1_zero") and recipe.r1_zero:
        yield from rl("r1_zero", recipe.r1_zero, base)
        measured += [("base", base), ("r1_zero", base)]
    if recipe.flow == "r1" and base and recipe.r1_zero and recipe.cold_start and recipe.grpo and recipe.reject:
        chains = recipe.cold_start
        yield sft_work("dev1", chains.sft, chains.select.examples, base, lengths, recipe.r1_zero.max_tokens)
        yield from rl("dev2", recipe.grpo, base)
        examples = round(recipe.reject.select.examples / (1 - recipe.reject.general_share)) + recipe.reject.general
        measured += [("dev1", base), ("dev2", base)]
        if recipe.sft2:
            yield sft_work("dev3", recipe.sft2, examples, base, lengths, recipe.grpo.max_tokens)
            measured.append(("dev3", base))
        if recipe.grpo2:
            yield from rl("r1", recipe.grpo2, base)
            measured.append(("r1", base))
        if student and recipe.distill:
            yield sft_work("distilled", recipe.distill, examples, student, lengths, recipe.grpo.max_tokens)
            measured.append(("distilled", student))
        if student and recipe.student_rl:
            yield from rl("student_rl", recipe.student_rl, student)
            measured += [("student", student), ("student_rl", student)]
    for name, model in measured:
        yield evaluation_work(recipe, f"evaluate/{name}", model, lengths)


def _problems(recipe: Recipe, config: GrpoConfig) -> int:
    """Training problems, where the recipe itself says how many; 0 where only the data does."""
    if recipe.data is None:
        return 0
    if recipe.data.source == "tiny":
        return sum(num for skill, num in recipe.data.problems.items() if config.mixture.get(skill))
    known = [source.rows or source.size for source in recipe.data.sources.values()]
    return sum(filter(None, known)) if all(known) else 0


def _group(model: Decoder, prompt: float, completion: float, samples: int) -> float:
    return group_flops(cost(model), round(prompt), [round(completion)] * samples)
