"""The program of RL as it is, in a process that may be armed to kill itself at some point of some step."""

from typing import Any

from r1flow.components.processes.ranks import Layout, am_rank, run_ranks
from r1flow.components.programs import rl
from r1flow.components.programs.spec import Spec
from r1flow.components.training.checks.kill import arm


def main(raw: dict[str, Any]) -> dict[str, Any]:
    """``notes.kill``: ``point`` and ``step``; without it the run goes to its end."""
    spec = Spec.model_validate(raw)
    if spec.run.engine.kind == "deepspeed" and not am_rank():
        return run_ranks(
            "r1flow.components.programs.prove_resume", raw, work=spec.work, layout=Layout(spec.run.engine.ranks)
        )
    if "kill" in spec.notes:
        arm(**spec.notes["kill"])
    return rl.main(raw)
