"""Who has the last word on a promotion: nobody, a person in Prefect's UI, or the recipe that wants none."""

from collections.abc import Iterable
from dataclasses import dataclass

from prefect import pause_flow_run
from prefect.exceptions import FlowPauseTimeout
from prefect.input import RunInput

from r1flow.components.evals.gate import Decision
from r1flow.components.recipe.run import PromoteConfig
from r1flow.tasks.session import StageOutcome, current_session

LOOK_EVERY_S = 5


class Approval(RunInput):
    """The form that Prefect's UI shows on a run that waits for a decision."""

    promote: bool
    by: str
    reason: str = ""


@dataclass(frozen=True)
class Answer:
    """Whether to promote what the gate lets through, why not (or why), and which person said so, if one did."""

    promote: bool
    reason: str = ""
    by: str = ""


def ask_whoever_decides(registered: str, gate: PromoteConfig, model: StageOutcome, decision: Decision) -> Answer:
    """By the promotion's ``mode``. A person is asked only about a model that the gate lets through, and only where a Prefect
    server outlives this run; elsewhere the model stays unpromoted, and the answer names the command that promotes it.
    """
    by_hand = f"r1 promote {model.ref.kind}/{model.ref.fingerprint[:8]}"
    if gate.mode == "auto" or not decision.passed:
        return Answer(promote=True)
    if gate.mode == "off":
        return Answer(promote=False, reason=f"promote.{registered}.mode is off: `{by_hand}` promotes it")
    if not current_session().standing:
        return Answer(promote=False, reason=f"a person decides, and no Prefect server stands: `{by_hand}` promotes it")
    return _ask(registered, gate, model, decision, by_hand)


def _ask(registered: str, gate: PromoteConfig, model: StageOutcome, decision: Decision, by_hand: str) -> Answer:
    """Pause this flow run until somebody fills in the form, or nobody does in time."""
    description = f"# {registered}: promote `{model.ref.uri}`?\n\n{as_list(decision.reasons)}"
    hours = gate.wait_hours
    form = Approval.with_initial_data(description=description, promote=False)
    try:
        said = pause_flow_run(wait_for_input=form, timeout=max(1, round(hours * 3600)), poll_interval=LOOK_EVERY_S)
    except FlowPauseTimeout:
        return Answer(promote=False, reason=f"nobody decided within {hours:g} hours: `{by_hand}` promotes it")
    who, verdict = said.by.strip() or "somebody", "agreed" if said.promote else "declined"
    return Answer(said.promote, f"{who} {verdict}{': ' if said.reason else ''}{said.reason}", who)


def as_list(reasons: Iterable[str]) -> str:
    """Markdown."""
    return "\n".join(f"* {reason}" for reason in reasons)
