"""The rewards before the firewall: no model is trained with a verifier that pays for cheating."""

import json
from dataclasses import asdict
from typing import Any

from r1flow.components.core.errors import ConfigError
from r1flow.components.core.spool import Spool
from r1flow.components.processes.sandbox.choose import open_sandbox
from r1flow.components.programs.spec import Spec
from r1flow.components.rewards.adversarial.certificate import Certificate
from r1flow.components.rewards.pool.certificates import certify_own
from r1flow.components.rewards.pool.pool import ScoringPool


def main(raw: dict[str, Any]) -> dict[str, float]:
    """Writes ``KIND.json`` per verifier; ConfigError where one is below its floor."""
    spec = Spec.model_validate(raw)
    spec.out.mkdir(parents=True, exist_ok=True)
    spool = Spool(spec.spool)
    metrics: dict[str, float] = {}
    if "code" in spec.config["kinds"]:
        open_sandbox()  # its error names the mend; without it every case would only say INFRA
    with ScoringPool(spec.scorers) as pool:
        for number, kind in enumerate(spec.config["kinds"], 1):
            found = certify_own(kind, pool, workers=spec.scorers, style=spec.prompt.format)
            if not found.passed:
                raise ConfigError(_why(found))
            (spec.out / f"{kind}.json").write_text(json.dumps(asdict(found), indent=1))
            figures = {f"{kind}/cases": float(found.cases)} | {f"{kind}/{f.family}": f.share for f in found.families}
            spool.append(number, figures)
            metrics |= figures
    return metrics


def _why(found: Certificate) -> str:
    """What did not hold, with an example of each."""
    lines = [f"rewards: the verifier {found.kind!r} failed the firewall, so no model is trained with it"]
    for family in found.families:
        if family.share < found.floor:
            lines.append(f"  {family.family}: {family.passed} of {family.cases} cases came out right")
            lines += [
                f"    {worst.mutation}: gold {worst.gold!r}, {worst.completion!r}: expected {worst.expected}, got {worst.got}"
                for worst in family.worst[:3]
            ]
    return "\n".join([*lines, "`r1 certify rewards` shows all of it"])
