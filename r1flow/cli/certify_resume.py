"""``r1 certify resume``: runs that are killed at every point of a step, beside one that is not, as a table."""

import tempfile
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console
from rich.table import Table

from r1flow.components.processes.preload import ForkServer
from r1flow.components.recipe.engine import EngineConfig
from r1flow.components.training.checks.resume import prove_resume
from r1flow.tasks.session import PRELOAD

# Stage 3 partitions the weights too, so its sampler serves a copy and every weight sync is a real one.
WHOLE = {"stage3_param_persistence_threshold": 0}
ENGINES = {
    "single": EngineConfig(),
    "DeepSpeed ZeRO 3, 2 ranks": EngineConfig(kind="deepspeed", zero_stage=3, ranks=2, timeout_s=120.0, settings=WHOLE),
}


def certify_resume() -> bool:
    """Kill and continue on every engine that is installed; whether all ended as if nothing had happened."""
    console = Console()
    table = Table("engine", "what", "", "seen", box=None, pad_edge=False)
    holds = True
    with closing(ForkServer.start(PRELOAD)) as server, tempfile.TemporaryDirectory() as name:
        for number, (label, engine) in enumerate(ENGINES.items()):
            if engine.kind == "deepspeed" and find_spec("deepspeed") is None:
                table.add_row(label, "", "not installed", "nothing is proved; `make cpu` installs it")
                continue
            home = Path(name) / str(number)
            home.mkdir()
            with console.status(label) as status:
                told = lambda what, label=label, status=status: status.update(f"{label}: {what}")  # noqa: E731
                for line, (what, right, detail) in enumerate(prove_resume(home, engine, server, told)):
                    verdict = ("done" if what.startswith("kill") else "equal") if right else "FAILS"
                    table.add_row(label if line == 0 else "", what, verdict, detail)
                    holds &= right
    console.print(table)
    return holds
