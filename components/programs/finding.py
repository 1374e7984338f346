"""One thing that ``r1 doctor`` has looked at, as programs leave it and the command line shows it."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

SETTING = "--model"
"""Where a source is named: what an error about the source itself begins with."""
FINDINGS = "findings.jsonl"
"""In a program's work directory, a line each as they come: those from before its end are there, whatever ended it."""


@dataclass(frozen=True)
class Finding:
    """Not everything is needed by every recipe; ``detail`` ends with the fix where something is wrong."""

    what: str
    ok: bool
    detail: str
    needed: bool = True

    @property
    def verdict(self) -> str:
        return "ok" if self.ok else "failed" if self.needed else "warning"


def leave(finding: Finding, work: Path) -> None:
    with (work / FINDINGS).open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(finding)) + "\n")


def found_in(work: Path) -> list[Finding]:
    """What was left; a line that was cut off by its program's end is no finding."""
    path = work / FINDINGS
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
    return [Finding(**json.loads(line)) for line in lines if line.endswith("\n")]
