"""From a recipe to the plan's plain numbers: layout, batch and models of its RL stages."""

from collections.abc import Mapping
from dataclasses import dataclass

from r1flow.components.core.models import BUILTIN
from r1flow.components.costs.decoder import Decoder, decoder_of, shape_in
from r1flow.components.costs.memory import Batch, Layout, Parts, largest_rows, largest_sampled, parts
from r1flow.components.costs.work import PROMPT, Lengths
from r1flow.components.recipe.models import ModelConfig
from r1flow.components.recipe.recipe import Recipe
from r1flow.components.recipe.stages import RlStage
from r1flow.components.sampling.auto import resolve_sampler


@dataclass(frozen=True)
class Stage:
    """An RL stage's settings, the start model it comes from, its shape, the layout and the batch of one rank."""

    name: str
    config: RlStage
    start: str
    model: Decoder
    layout: Layout
    batch: Batch

    def memory(self, *, value: bool | None = None) -> Parts:
        """As the stage is set; ``value`` True or False: were it PPO or GRPO."""
        chosen = bool(self.config.ppo) if value is None else value
        return parts(self.model, self.layout, self.batch, reference=bool(self.config.kl_weight), value=chosen)

    def largest(self, room: float) -> int:
        """The most tokens for ``micro_tokens`` that fit into ``room`` bytes; 0 where one completion does not."""
        rows = largest_rows(
            self.model,
            self.layout,
            self.batch,
            room,
            reference=bool(self.config.kl_weight),
            value=bool(self.config.ppo),
        )
        return rows * (self.batch.prompt + self.batch.completion)

    def side_by_side(self, room: float) -> int:
        """The most completions that the sampler can hold at their longest."""
        return largest_sampled(self.model, self.layout, self.batch, room, self.memory().resident)


def models_of(recipe: Recipe) -> dict[str, Decoder]:
    """The start models whose shapes are known, from the recipe or as shipped. Others are counted (``r1flow.tasks.counting``)."""
    found = {name: decoder(model) for name, model in recipe.models.items()}
    return {name: model for name, model in found.items() if model is not None}


def decoder(config: ModelConfig) -> Decoder | None:
    """A start model's numbers: its shape's, or a shipped model's."""
    if config.shape is not None:
        return decoder_of(config.shape)
    shipped = config.source.removeprefix("builtin:")
    shape = shape_in(BUILTIN[shipped]) if shipped in BUILTIN and config.source != shipped else None
    return decoder_of(shape) if shape else None


def stages_of(recipe: Recipe, lengths: Lengths, models: Mapping[str, Decoder] | None = None) -> list[Stage]:
    """The RL stages whose model is known, in order; ``models`` by start model, where more are than without counting. Completions
    are taken to be as long as they may be, unless ``lengths`` knows."""
    models = models_of(recipe) if models is None else models
    found = []
    for name in recipe.graph.nodes:
        config, start = recipe.stages.get(name), recipe.start_of(name)
        if isinstance(config, RlStage) and start in models:
            layout = layout_of(recipe, config, models[start])
            found.append(Stage(name, config, start, models[start], layout, batch_of(config, layout, lengths)))
    return found


def layout_of(recipe: Recipe, config: RlStage, model: Decoder) -> Layout:
    """A sampler with weights of its own: vLLM, one that works ahead, or beside weights that ZeRO 3 has taken apart."""
    engine = recipe.run.engine
    device = "cpu" if recipe.run.device == "cpu" else "cuda"
    sampler = resolve_sampler(recipe.run.sampler, device=device, num_parameters=model.parameters)
    zero = None if engine.kind == "single" else engine.zero_stage
    return Layout(
        bytes=2 if engine.dtype == "bfloat16" else 4,
        ranks=engine.ranks * engine.nodes,
        zero=zero,
        offload=engine.offload,
        checkpointing=engine.gradient_checkpointing,
        copy=sampler == "vllm" or bool(config.staleness) or zero == 3,
    )


def batch_of(config: RlStage, layout: Layout, lengths: Lengths) -> Batch:
    """One rank's part of the completions of a step, and of an optimizer step."""
    completions = config.prompts_per_step * config.samples_per_prompt
    return Batch(
        prompt=round(lengths.prompt or PROMPT),
        completion=max(1, round(lengths.of(config.max_tokens))),
        samples=config.samples_per_prompt,
        rows=max(1, -(-completions // (config.mini_batches * layout.ranks))),
        sampled=max(1, -(-completions // layout.ranks)),
        micro_tokens=config.micro_tokens,
    )
