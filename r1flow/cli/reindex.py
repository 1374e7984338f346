"""``r1 reindex``: MLflow's runs, versions and aliases from the store alone."""

from r1flow.components.recipe.settings import Settings
from r1flow.components.store.objects import open_store


def rebuild() -> None:
    """Add what MLflow lacks, and say what it now shows."""
    from r1flow.components.tracking.reindex import reindex

    settings = Settings()
    settings.prepare()
    store = open_store(settings.store_uri)
    done = reindex(store, settings.tracking_uri, settings.experiment, outboxes=settings.outboxes, cache=settings.cache)
    print(f"{store.uri}: {done.runs} runs with {done.stages} stages; {done.added} of these were missing in MLflow")
    for model, version in done.champions.items():
        print(f"{model}: version {version} is champion")
