"""``r1 lineage REF --row PROBLEM``: from one row back to where it comes from."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from r1flow.components.evals.lake.lineage import trace
from r1flow.components.evals.lake.shelf import StoreShelf
from r1flow.components.evals.report.samples import printable
from r1flow.components.recipe.settings import Settings
from r1flow.components.store.artifact import resolve
from r1flow.components.store.objects import open_store


def show_row(text: str, problem: str) -> None:
    """Checkpoint, training step, rollouts, dataset row, source and commit, each with the artifact and file that say so."""
    settings = Settings()
    store = open_store(settings.store_uri)
    table = Table("what", "artifact and file", "says", box=None)
    for link in trace(StoreShelf(store, settings.cache), resolve(store, text).fingerprint, problem):
        table.add_row(Text(link.what, "bold"), Text(link.where), Text(printable(link.says)))
    Console().print(table)
