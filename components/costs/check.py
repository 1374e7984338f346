"""What was planned beside what was measured, stage by stage of a run that has ended. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from r1flow.components.costs.bill import Spent
from r1flow.components.costs.decoder import Decoder
from r1flow.components.costs.preset import Stage, stages_of
from r1flow.components.costs.work import Lengths, Rates, Work, rl_work
from r1flow.components.recipe.recipe import Recipe

GIB = float(2**30)


@dataclass(frozen=True)
class Check:
    """One RL stage: GiB of a rank (on a CPU above what the process held before it had a model), tokens generated, TFLOP of
    sampling and update, device-seconds of both.

    ``memory`` and ``tokens`` take completions as long as they may be, for one step's peak is enough; ``tflop`` and ``seconds``
    the mean length that came out. ``seconds`` is None for the first stage of a model, which sets the rate.
    """

    stage: str
    memory: float
    memory_measured: float
    tokens: float
    tokens_measured: float
    tflop: float
    tflop_measured: float
    seconds: float | None
    seconds_measured: float


def checks(recipe: Recipe, costs: Mapping[str, Spent], models: Mapping[str, Decoder] | None = None) -> list[Check]:
    """The RL stages in ``costs`` (by stage) whose start model is known and whose work was counted.

    ``models`` by start model, where more are known than without counting.
    """
    found: list[Check] = []
    by_model: dict[str, Rates] = {}
    for name in [stage.name for stage in stages_of(recipe, Lengths(), models)]:
        cost = costs.get(name)
        if cost is None or not cost.tflop:
            continue
        longest = Lengths(cost.prompt)
        stage = next(s for s in stages_of(recipe, longest, models) if s.name == name)
        work, rates = _work(stage, _lengths(stage, cost)), by_model.get(stage.start)
        found.append(
            Check(
                stage=name,
                memory=_memory(stage, recipe.run.device == "cpu"),
                memory_measured=cost.memory_gib,
                tokens=_work(stage, longest).out,
                tokens_measured=cost.out,
                tflop=(work.sampling + work.training) / 1e12,
                tflop_measured=cost.tflop,
                seconds=None if rates is None else work.sampling / rates.sampling + work.training / rates.training,
                seconds_measured=cost.phases["sample"] + cost.phases["update"],
            )
        )
        by_model.setdefault(
            stage.start, Rates(work.sampling / cost.phases["sample"], work.training / cost.phases["update"], name)
        )
    return found


def _lengths(stage: Stage, cost: Spent) -> Lengths:
    """Mean tokens as they came out; a refilled step has more completions than it was set, and is counted as longer ones."""
    completions = stage.config.steps * stage.config.prompts_per_step * stage.config.samples_per_prompt
    return Lengths(cost.prompt, cost.out / completions)


def _work(stage: Stage, lengths: Lengths) -> Work:
    return rl_work(stage.name, stage.config, stage.model, lengths, stage.layout.ranks)


def _memory(stage: Stage, on_cpu: bool) -> float:
    parts = stage.memory()
    return (parts.process if on_cpu else parts.peak) / GIB
