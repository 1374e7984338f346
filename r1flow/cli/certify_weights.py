"""``r1 certify weights``: what samplers serve, and ways of serving something else, as a table."""

import tempfile
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console
from rich.table import Table

from r1flow.components.processes.keeper import run_program
from r1flow.components.store.models import locate_model

PROGRAM = "r1flow.components.programs.prove_weights"
KINDS = ("transformers", "vllm")


def certify_weights(model: str) -> bool:
    """Prove and sabotage every sampler that is installed; whether all went as it must."""
    console = Console()
    directory = locate_model(model)
    table = Table("sampler", "what it serves", "", box=None, pad_edge=False)
    table.add_column("what was said", no_wrap=True, overflow="ellipsis")
    holds = True
    with tempfile.TemporaryDirectory() as name:
        for kind in KINDS:
            if find_spec(kind) is None:
                table.add_row(kind, "", "not installed", "nothing is proved; `make cpu` installs it")
                continue
            work = Path(name) / kind
            spec = {"kind": kind, "model": str(directory), "work": str(work)}
            with console.status(f"{kind}: proving and sabotaging"):
                findings = run_program(PROGRAM, spec, work=work, server=None)["findings"]
            for number, (what, right, detail) in enumerate(findings):
                verdict = ("holds" if number == 0 else "caught") if right else "FAILS"
                table.add_row(kind if number == 0 else "", what, verdict, detail)
                holds &= right
    console.print(table)
    return holds
