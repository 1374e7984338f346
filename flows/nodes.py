"""One node of a recipe's graph, inside a run or alone."""

from collections.abc import Collection, Mapping
from typing import Any

from r1flow.components.recipe.graph import ADDRESS, Graph
from r1flow.flows.parameters import recipe_from
from r1flow.flows.walk import raise_failures, walk
from r1flow.tasks.declare import declare
from r1flow.tasks.inspection import know_models
from r1flow.tasks.named import stored_artifact, stored_model
from r1flow.tasks.session import StageOutcome, current_session, open_session, session
from r1flow.tasks.stage import compute


def node(
    name: str,
    preset: str | None = None,
    settings: Mapping[str, Any] | None = None,
    whole: Mapping[str, Any] | None = None,
) -> StageOutcome:
    """What ``name`` gives, with what it needs; alone it is also evaluated where it is a model. Inside a run nothing is made
    that the run has made before."""
    if (running := open_session()) is not None:
        with session(running.recipe):
            make(running.recipe.graph.ancestors([name]) - {name})
            return compute_node(name)
    recipe = recipe_from(preset, settings, whole)
    with session(recipe) as run:
        compute_nodes(recipe.graph.only([name]))
        return run.done[name]


def make(names: Collection[str]) -> None:
    """Those nodes of the run's recipe that the run has not made yet, in the graph's order."""
    run = current_session()
    graph = run.recipe.graph
    left = {name: each for name, each in graph.nodes.items() if name in names and name not in run.done}
    if left:
        compute_nodes(Graph(left))


def compute_nodes(graph: Graph) -> None:
    """Everything in ``graph``, with nothing around it; raises what failed."""
    know_models(graph)
    raise_failures(walk(graph, compute_node, parallel=current_session().recipe.run.parallel_stages))


def compute_node(name: str) -> StageOutcome:
    """The node ``name`` of the run's recipe, from what the run has made before."""
    run = current_session()
    found = run.recipe.graph.nodes[name]
    model = run.recipe.models.get(name)
    if model is not None and ADDRESS.fullmatch(model.source):
        return stored_model(name, model.source)
    stored = {name: stored_artifact(name) for name in found.inputs.values() if ADDRESS.fullmatch(name)}
    return compute(declare(run.recipe, found, {**run.done, **stored}, run.place))
