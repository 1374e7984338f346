"""The objective of an RL stage under the gradient proof: on its engine, in its cut and others, with a small random model."""

import json
from collections.abc import Mapping
from typing import Any

import torch

from r1flow.components.core.cuda import resolve_device
from r1flow.components.core.errors import NumericsError
from r1flow.components.processes.ranks import Layout, am_rank, run_ranks
from r1flow.components.programs.language_model import set_threads
from r1flow.components.programs.rl import loss
from r1flow.components.programs.spec import Spec
from r1flow.components.recipe.engine import EngineConfig
from r1flow.components.recipe.grpo import GrpoConfig
from r1flow.components.training.checks.gradient import Bench, Objective, open_bench_engine
from r1flow.components.training.checks.limits import GRADIENT
from r1flow.components.training.checks.small import small_model
from r1flow.components.training.engines import ranks

PROGRAM = "r1flow.components.programs.certify_gradient"
MICRO = 4
"""Completions in a micro-batch of the cut that is tried beside the stage's own."""


def main(raw: dict[str, Any]) -> dict[str, float]:
    """The largest error of an RL stage's objective; NumericsError where it is past the limit.

    In float32, on the ranks of one machine.
    """
    spec = Spec.model_validate(raw)
    engine = spec.run.engine.model_copy(update={"dtype": "float32", "nodes": 1, "rendezvous": None, "hostfile": None})
    if engine.kind == "deepspeed" and not am_rank():
        return run_ranks(PROGRAM, raw, work=spec.work, layout=Layout(engine.ranks))
    with ranks.join(resolve_device(spec.run.device), engine.timeout_s) as device:
        set_threads(spec)
        config = GrpoConfig(steps=1, learning_rate=1.0, **spec.config["objective"])
        errors = measure({"error": config}, engine, device)
        return _certify(spec, errors["error"]) if ranks.rank() == 0 else {}


def measure(stages: Mapping[str, GrpoConfig], engine: EngineConfig, device: torch.device) -> dict[str, float]:
    """The larger error of each stage: padded rows in cuts of MICRO, packed ones in the stage's own. Equal stages share one."""
    cases = {name: (objective(config), config.micro_tokens) for name, config in stages.items()}
    distinct = {case: str(number) for number, case in enumerate(dict.fromkeys(cases.values()))}
    bench = Bench(small_model().to(device), {name: wanted for (wanted, _), name in distinct.items()})
    looked_at = open_bench_engine(engine, small_model().to(device))
    errors = {
        case: max(
            bench.error(looked_at, name, micro_tokens=bench.budget(MICRO), packed=False),
            bench.error(looked_at, name, micro_tokens=case[1], packed=True),
        )
        for case, name in distinct.items()
    }
    return {name: errors[case] for name, case in cases.items()}


def _certify(spec: Spec, error: float) -> dict[str, float]:
    """Write the certificate, or refuse it."""
    found = {"error": error, "limit": GRADIENT}
    if not error <= GRADIENT:
        raise NumericsError(
            f"{spec.stage}: the gradient on engine {spec.run.engine.kind} is not the batch's: relative error {error:.1e}, "
            f"limit {GRADIENT:.0e}; no model is trained with it. `r1 certify gradient` shows where"
        )
    spec.out.mkdir(parents=True, exist_ok=True)
    (spec.out / "gradient.json").write_text(json.dumps(found, indent=1))
    return found


def objective(config: GrpoConfig) -> Objective:
    """What the gradient of such a stage depends on; with one mini-batch it is on-policy."""
    return Objective(loss(config), config.temperature, on_policy=config.mini_batches == 1)
