"""The whole of a recipe: its graph is walked, its models are promoted, its report is made."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from prefect import flow
from prefect.runtime import flow_run

from r1flow.components.core.errors import R1Error
from r1flow.components.programs.admission import admit
from r1flow.components.recipe.graph import REPORT, Graph
from r1flow.components.recipe.recipe import Recipe
from r1flow.flows.curate import curate
from r1flow.flows.nodes import compute_node
from r1flow.flows.parameters import Preset, Settings, Whole, recipe_from
from r1flow.flows.pretrain import pretrain
from r1flow.flows.promote import promote
from r1flow.flows.rate import rate
from r1flow.flows.rl import rl
from r1flow.flows.select import select
from r1flow.flows.sft import sft
from r1flow.flows.stage import stage as own
from r1flow.flows.walk import raise_failures, walk
from r1flow.tasks.inspection import know_models
from r1flow.tasks.report import publish_report
from r1flow.tasks.session import Champion, current_session, open_session, session

SUBFLOWS: dict[str, Callable[[str], Any]] = {
    "curate": curate,
    "pretrain": pretrain,
    "sft": sft,
    "rl": rl,
    "select": select,
    "rate": rate,
}


def _named() -> str:
    """As the run is called in MLflow: by recipe and seed."""
    if (running := open_session()) is not None:
        return f"{running.recipe.name}-{running.recipe.seed}"
    given = flow_run.get_parameters()
    seed = (given.get("set") or {}).get("seed", (given.get("recipe") or {}).get("seed", 0))
    return f"{(given.get('recipe') or {}).get('name') or given.get('preset')}-{seed}"


@flow(name="pipeline", flow_run_name=_named)
def pipeline(
    preset: Preset | None = None,
    only: list[str] | None = None,
    set: Settings | None = None,
    recipe: Whole | None = None,
) -> list[Champion]:
    """Data to champions: everything that the recipe holds, or ``only`` some stages with what they need.

    A failure stops what depends on it; the rest ends, and then the flow fails with all failures named.
    """
    running = open_session()
    made = running.recipe if running else recipe_from(preset, set, recipe)
    graph = made.graph.only(only) if only else made.graph
    if running is None:  # the command line has looked before anything started
        admit(made, graph)
    with session(made) as run:
        return _run(made, graph, run.champions)


def _run(recipe: Recipe, graph: Graph, champions: list[Champion]) -> list[Champion]:
    stages = {name: node for name, node in graph.nodes.items() if name != REPORT}
    know_models(graph)
    failures = walk(replace(graph, nodes=stages), _compute, parallel=recipe.run.parallel_stages)
    closing: dict[str, Callable[[], object]] = {}
    if graph.promoted:
        for registered, promotion in recipe.promote.items():
            if f"evaluate/{promotion.model}" in current_session().done:
                closing[f"promote {registered}"] = partial(promote, registered)
    if REPORT in recipe.graph.nodes:
        closing[REPORT] = publish_report
    for name, close in closing.items():
        if not current_session().cancelled.is_set():
            try:
                close()
            except R1Error as error:  # one that fails keeps no other from being made
                failures[name] = error
    raise_failures(failures)
    return champions


def _compute(name: str) -> object:
    """A stage by the flow of its kind, so that it has a page of its own; what is implied as a task of this flow."""
    run = current_session()
    kind = run.recipe.graph.nodes[name].kind.name
    if name in run.recipe.stages or name in run.recipe.datasets:
        return SUBFLOWS.get(kind, own)(name)
    return compute_node(name)
