"""Sources to a dataset."""

from prefect import flow

from r1flow.flows.nodes import compute_nodes, node
from r1flow.flows.parameters import Preset, Settings, Whole, recipe_from
from r1flow.tasks.announce import announce_dataset
from r1flow.tasks.session import StageOutcome, open_session, session


@flow(name="curate", flow_run_name="{dataset}")
def curate(
    dataset: str, preset: Preset | None = None, set: Settings | None = None, recipe: Whole | None = None
) -> StageOutcome:
    """Read, validate, deduplicate and decontaminate the sources of ``dataset``; publish it with its report. Alone, a dataset
    that is new is announced; inside a recipe it is no news, or every run would start another."""
    if open_session() is not None:
        return node(dataset)
    whole = recipe_from(preset, set, recipe)
    with session(whole) as run:
        compute_nodes(whole.graph.only([dataset]))
        if not run.done[dataset].reused:
            announce_dataset(run.done[dataset])
        return run.done[dataset]
