"""The rollout browser of the page: its data, its script, and the digest by which the page lets no other script run."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from r1flow.components.evals.aha_counts import Tracked
from r1flow.components.evals.report.aha import address, wanted
from r1flow.components.evals.report.lineage import Way
from r1flow.components.evals.report.names import Names
from r1flow.components.evals.report.rollouts import browse, dump

SCRIPT = Path(__file__).parent / "rollouts.js"


@dataclass(frozen=True)
class Browser:
    """``data``: JSON that markup cannot read; ``hash``: the script's, for the Content-Security-Policy; ``shown``: the groups
    (stage, step, problem) on the page; ``link``: the fragment of the lineage's rollouts, where they are among them."""

    data: Markup
    script: Markup
    hash: str
    shown: frozenset[tuple[str, int, str]]
    link: str
    held: int
    whole: int


def browsing(
    inputs: Mapping[str, Path],
    made: Mapping[str, Mapping[str, Any]],
    tracked: Mapping[str, Tracked],
    back: Way | None,
    names: Names,
) -> Browser | None:
    """The browser over a run's lakes; None where there is none."""
    if not tracked:
        return None
    groups = wanted(tracked)
    stages = {facts["fingerprint"]: name for name, facts in made.items()}
    told = next((link.group for link in back.links if link.group), None) if back else None
    if told and stages[told[0]] in groups:
        groups[stages[told[0]]].add(told[1:])
    found = browse({stage: inputs[stage] for stage in tracked}, _data(inputs, made, stages, tracked), groups, names)
    shown = frozenset((entry["stage"], group["step"], group["problem"]) for entry in found for group in entry["groups"])
    linked = told and (stages[told[0]], *told[1:]) in shown
    script = SCRIPT.read_text(encoding="utf-8")
    return Browser(
        data=Markup(dump(found)),
        script=Markup(script),
        hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        shown=shown,
        link=address(stages[told[0]], *told[1:], 0) if told and linked else "",
        held=sum(entry["held"] for entry in found),
        whole=sum(entry["whole"] for entry in found),
    )


def _data(
    inputs: Mapping[str, Path],
    made: Mapping[str, Mapping[str, Any]],
    stages: Mapping[str, str],
    tracked: Mapping[str, Tracked],
) -> dict[str, Path]:
    """By RL stage the dataset of the run that it took its problems from."""
    named = {stage: stages.get(made[stage]["inputs"].get("data", ""), "") for stage in tracked if stage in made}
    return {stage: inputs[name] for stage, name in named.items() if name in inputs}
