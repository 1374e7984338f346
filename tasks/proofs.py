"""What a stage has proved about itself while it ran, as tags of its MLflow run and of the registered model."""

from collections.abc import Mapping

from r1flow.components.recipe.kinds import LAKES

WEIGHTS = "weight_sync/mismatch"


def proof_tags(kind: str, metrics: Mapping[str, float | int | str | None]) -> dict[str, str]:
    """The weight-sync proof of an RL stage: it holds after every load, or the stage would not have ended.

    >>> proof_tags("rl", {"weight_sync/mismatch": 2.9e-6})
    {'weight_sync.proof': 'a copy, proved after every load', 'weight_sync.mismatch': '2.9e-06'}
    """
    if kind not in LAKES:
        return {}
    mismatch = metrics.get(WEIGHTS)
    if mismatch is None and "staleness" not in metrics:  # rollouts that are sampled ahead come from a copy as well
        return {"weight_sync.proof": "the trainer's own tensors"}
    metric = {} if mismatch is None else {"weight_sync.mismatch": f"{mismatch:.1e}"}
    return {"weight_sync.proof": "a copy, proved after every load", **metric}
