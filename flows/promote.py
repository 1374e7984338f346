"""Promotion of a model through its gate."""

from prefect import flow

from r1flow.components.core.errors import ConfigError
from r1flow.flows.nodes import make
from r1flow.flows.parameters import Preset, Settings, Whole, recipe_from
from r1flow.tasks.approval import ask_whoever_decides
from r1flow.tasks.registry import ask_gate, promote_model
from r1flow.tasks.session import Champion, open_session, session


@flow(name="promote", flow_run_name="promote {registered}")
def promote(
    registered: str, preset: Preset | None = None, set: Settings | None = None, recipe: Whole | None = None
) -> Champion:
    """Whether the model of ``promote.REGISTERED`` becomes champion: its gate decides, and a person where the recipe says so.

    The model is made and evaluated first, unless that is done.
    """
    running = open_session()
    whole = running.recipe if running else recipe_from(preset, set, recipe)
    if (gate := whole.promote.get(registered)) is None:
        known = ", ".join(whole.promote) or "none"
        raise ConfigError(f"{registered}: recipe {whole.name} promotes nothing of that name; its promotions: {known}")
    with session(whole) as run:
        make(whole.graph.only([gate.model]).nodes)
        model, evaluation = run.done[gate.model], run.done[f"evaluate/{gate.model}"]
        answer = ask_whoever_decides(registered, gate, model, ask_gate(registered, gate, evaluation))
        return promote_model(registered, gate, model, evaluation, answer)
