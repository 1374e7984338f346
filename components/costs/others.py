"""Memory of the stages that are no RL: SFT, and what only samples (ratings, evaluations). Pure."""

import math
from collections.abc import Mapping

from r1flow.components.costs.decoder import Decoder
from r1flow.components.costs.memory import (
    SAMPLED_ROWS,
    Batch,
    Layout,
    Parts,
    States,
    activations,
    log_probabilities,
    sampling,
    states,
)
from r1flow.components.costs.work import LONGEST, Lengths, rating_of, row_within, sft_data
from r1flow.components.recipe.kinds import IMPLIED
from r1flow.components.recipe.recipe import Recipe
from r1flow.components.recipe.stages import SftStage

PLAIN = Layout()
"""These programs run in one process in float32, whatever the engine of RL is."""


def other_memory(recipe: Recipe, models: Mapping[str, Decoder], lengths: Lengths) -> dict[str, Parts]:
    """By node, for those with one of ``models`` (by start model), in the order of the graph."""
    found: dict[str, Parts] = {}
    chosen = recipe.suites if recipe.evaluate.suites is None else recipe.evaluate.suites
    suites = [recipe.suites[name] for name in chosen]
    for name, node in recipe.graph.nodes.items():
        model = models.get(recipe.start_of(node.subject or name))
        stage = recipe.stages.get(node.subject or name)
        if model is None:
            continue
        if node.kind is IMPLIED["evaluate"] and suites:
            each = [sampled(model, s.problems, s.samples, s.max_tokens, lengths) for s in suites]
            found[name] = max(each, key=lambda parts: parts.peak)
        elif node.kind.name == "rate":
            asked = rating_of(stage)
            found[name] = sampled(model, SAMPLED_ROWS, asked.samples, asked.max_tokens, lengths)
        elif isinstance(stage, SftStage) and name in recipe.stages:
            found[name] = taught(model, stage, sft_data(recipe, stage)[1] or LONGEST, lengths)
    return found


def taught(model: Decoder, config: SftStage, longest: int, lengths: Lengths) -> Parts:
    """SFT on rows of ``longest`` tokens behind their prompts: as many at a time as ``micro_tokens`` holds."""
    prompt, completion = row_within(model, lengths.prompt, lengths.of(longest))
    whole = round(prompt + completion)
    rows = max(1, min(config.batch_size, config.micro_tokens // whole))
    return Parts(
        policy=states(model.parameters, PLAIN),
        reference=0.0,
        value=None,
        copy=0.0,
        activations=activations(model, PLAIN, rows * whole, 0.0),
        log_probabilities=log_probabilities(model, rows * round(completion)),
        sampling=0.0,
        passes=math.ceil(config.batch_size / rows),
    )


def sampled(model: Decoder, problems: int, samples: int, longest: int, lengths: Lengths) -> Parts:
    """The weights, and the sampler's cache with as many completions side by side as there are, at their longest."""
    batch = Batch(round(lengths.prompt), round(lengths.of(longest)), samples, 0, problems * samples, 0)
    return Parts(
        policy=States(float(PLAIN.bytes * model.parameters), 0.0, 0.0),
        reference=0.0,
        value=None,
        copy=0.0,
        activations=0.0,
        log_probabilities=0.0,
        sampling=sampling(model, PLAIN, batch),
        passes=1,
    )
