"""News for whoever waits for it: Prefect events that start deployments."""

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.events import emit_event

from r1flow.tasks.session import StageOutcome, current_session

PUBLISHED = "r1.dataset.published"


@task(name="announce", task_run_name="announce {dataset.name}", cache_policy=NO_CACHE, persist_result=False)
def announce_dataset(dataset: StageOutcome) -> None:
    """Say that there is a new dataset: its address, the preset and seed it is for, and its sources as settings."""
    recipe = current_session().recipe
    sources = recipe.datasets[dataset.name].model_dump(mode="json", exclude_none=True)["sources"]
    preset = recipe.preset or recipe.name
    emit_event(
        PUBLISHED,
        resource={"prefect.resource.id": f"r1.dataset.{dataset.ref.fingerprint[:16]}", "r1.preset": preset},
        payload={
            "uri": dataset.ref.uri,
            "preset": preset,
            "dataset": dataset.name,
            "set": {"seed": recipe.seed, f"{dataset.name}.sources": sources},
        },
    )
