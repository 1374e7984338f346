"""News for whoever waits for it: Prefect events that start deployments."""

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.events import emit_event

from r1flow.components.core.errors import ConfigError
from r1flow.components.recipe.recipe import Recipe
from r1flow.tasks.session import StageOutcome

PUBLISHED = "r1.dataset.published"


@task(name="announce", task_run_name="announce {dataset.name}", cache_policy=NO_CACHE, persist_result=False)
def announce_dataset(recipe: Recipe, dataset: StageOutcome) -> None:
    """Say that there is a new dataset: its address, and the preset, seed and data section of the recipe that it is for."""
    if recipe.data is None:
        raise ConfigError("data: this recipe has no data section")
    emit_event(
        PUBLISHED,
        resource={"prefect.resource.id": f"r1.dataset.{dataset.ref.fingerprint[:16]}", "r1.preset": recipe.preset},
        payload={
            "uri": dataset.ref.uri,
            "preset": recipe.preset,
            "seed": recipe.seed,
            "data": recipe.data.model_dump(mode="json", exclude_none=True),
        },
    )
