"""The gradients of one batch under many engines, beside the float64 one; as the launcher's ranks where there are several."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from transformers import PreTrainedModel

from r1flow.components.core.models import load_model
from r1flow.components.core.spool import Spool
from r1flow.components.processes.ranks import Layout, am_rank, run_ranks
from r1flow.components.programs.rl import loss
from r1flow.components.recipe.engine import EngineConfig
from r1flow.components.training.checks.cases import Case, by_stage, settings
from r1flow.components.training.checks.gradient import Bench, Objective, open_bench_engine
from r1flow.components.training.checks.small import small_model
from r1flow.components.training.engines import ranks

PROGRAM = "r1flow.components.programs.prove_gradient"


def main(raw: dict[str, Any]) -> dict[str, float]:
    """The error of every case of ``cases`` (:class:`Case` fields) with ``seed``, on 0 (no launcher), 1 or 2 ``ranks``.

    ``model`` is a directory, or None for a small random one; errors are spooled into ``work`` as they are found.
    """
    work, cases = Path(raw["work"]), [Case(*fields) for fields in raw["cases"]]
    if raw["ranks"] > 0 and not am_rank():
        return run_ranks(PROGRAM, raw, work=work, layout=Layout(raw["ranks"]))
    torch.set_num_threads(1)
    with ranks.join("cpu"):
        directory = raw["model"] and Path(raw["model"])
        return measure(lambda: load_model(directory) if directory else small_model(), cases, raw["seed"], work)


def measure(load: Callable[[], PreTrainedModel], cases: Sequence[Case], seed: int, work: Path) -> dict[str, float]:
    """Error by case name, on rank 0; each is spooled as it is found."""
    spool = Spool(work / "metrics.jsonl")
    configs = settings()
    wanted = {case.objective for case in cases}
    objectives = {n: Objective(loss(c), c.temperature, c.mini_batches == 1) for n, c in configs.items() if n in wanted}
    bench = Bench(load(), objectives, seed=seed)
    errors: dict[str, float] = {}
    for stage, group in by_stage(cases):
        engine = open_bench_engine(_engine(stage), load())
        for case in group:
            budget = bench.budget(case.micro)
            errors[case.name] = bench.error(engine, case.objective, micro_tokens=budget, packed=case.packed)
            if ranks.rank() == 0:
                spool.append(len(errors), {case.name: errors[case.name]})
    return errors


def _engine(stage: Literal[0, 1, 2, 3] | None) -> EngineConfig:
    """The plain engine, or DeepSpeed's with every tensor partitioned that the stage partitions."""
    if stage is None:
        return EngineConfig()
    # DeepSpeed leaves tensors of under 100,000 numbers whole under stage 3; of a small model that would be all.
    whole = {"stage3_param_persistence_threshold": 0} if stage == 3 else {}
    return EngineConfig(kind="deepspeed", zero_stage=stage, settings=whole)
