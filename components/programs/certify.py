"""A verifier tested adversarially: no model is trained with one that pays for cheating."""

import json
from dataclasses import asdict
from typing import Any, cast, get_args

from r1flow.components.core.errors import ConfigError
from r1flow.components.core.spool import Spool
from r1flow.components.processes.sandbox.choose import open_sandbox
from r1flow.components.programs.spec import Spec
from r1flow.components.rewards.adversarial.cases import Kind
from r1flow.components.rewards.adversarial.certificate import Certificate
from r1flow.components.rewards.format import FormatStyle
from r1flow.components.rewards.pool.certificates import certify_own
from r1flow.components.rewards.pool.pool import ScoringPool

STYLES = get_args(FormatStyle)


def main(raw: dict[str, Any]) -> dict[str, float]:
    """Writes ``VERIFIER.json``; ConfigError where the verifier is below its floor."""
    spec = Spec.model_validate(raw)
    spec.out.mkdir(parents=True, exist_ok=True)
    verifier = str(spec.config["verifier"])
    kind, style = ("format", verifier) if verifier in STYLES else (verifier, "think_answer")
    if kind == "code":
        open_sandbox()  # its error names the fix; without it every case would only say INFRA
    with ScoringPool(spec.scorers) as pool:
        found = certify_own(cast(Kind, kind), pool, workers=spec.scorers, style=cast(FormatStyle, style))
    if not found.passed:
        raise ConfigError(_why(found))
    (spec.out / f"{verifier}.json").write_text(json.dumps(asdict(found), indent=1))
    metrics = {f"{verifier}/cases": float(found.cases)} | {f"{verifier}/{f.family}": f.share for f in found.families}
    Spool(spec.spool).append(1, metrics)
    return metrics


def _why(found: Certificate) -> str:
    """What did not hold, with an example of each."""
    lines = [f"rewards: the verifier {found.kind!r} failed its adversarial tests, so no model is trained with it"]
    for family in found.families:
        if family.share < found.floor:
            lines.append(f"  {family.family}: {family.passed} of {family.cases} cases came out right")
            lines += [
                f"    {worst.mutation}: gold {worst.gold!r}, {worst.completion!r}: expected {worst.expected}, got {worst.got}"
                for worst in family.worst[:3]
            ]
    return "\n".join([*lines, "`r1 certify rewards` shows all of it"])
