"""How hard every problem is for every model."""

from prefect import flow

from r1flow.components.recipe.recipe import Recipe
from r1flow.components.recipe.run import LedgerConfig, RunConfig
from r1flow.tasks.ledger import keep_ledger
from r1flow.tasks.session import StageOutcome, session


@flow(name="ledger", flow_run_name="ledger")
def ledger(min_samples: int = 16, agreement: float = 0.9) -> StageOutcome:
    """Pass rates, majority answers and doubtful labels over the lakes of all models on the store; nothing is generated.

    Fewer scored samples than ``min_samples`` say nothing about a problem; from the share ``agreement`` of samples with one
    answer on, not the gold one, a label looks wrong.
    """
    with session(Recipe(name="ledger", run=RunConfig(device="cpu"))):
        return keep_ledger(LedgerConfig(min_samples=min_samples, agreement=agreement))
