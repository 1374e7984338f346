"""The problems that RL draws from, by skill: all of the dataset's, or those of the asked difficulty."""

from collections import defaultdict
from collections.abc import Sequence

from r1flow.components.core.errors import DataError
from r1flow.components.core.schema import Row
from r1flow.components.data.difficulty import easy_to_hard, within
from r1flow.components.data.ledger import LEDGER, read_rates
from r1flow.components.programs.spec import Spec
from r1flow.components.recipe.stages import RlStage
from r1flow.components.training.rl.batch import apportion

Pools = dict[str, list[Row]]


def training_pools(spec: Spec, config: RlStage, rows: Sequence[Row]) -> tuple[Pools, dict[str, float]]:
    """``rows`` by skill, and what ``config.difficulty`` left out (nothing without it).

    DataError where it leaves a skill of the mixture without a problem.
    """
    difficulty = config.difficulty
    if difficulty is None:
        return _by_skill(rows), {}
    rates = read_rates(spec.inputs[difficulty.rates] / LEDGER, difficulty.policy)
    wanted = {skill for skill, share in config.mixture.items() if share}
    low, high = difficulty.keep
    # The start model's answers are as many as were asked for, but for those that no judge could be had for.
    least = difficulty.samples if difficulty.policy or spec.notes.get("rates") == "ledger" else 1
    kept = within([row for row in rows if row.skill in wanted], rates, low=low, high=high, min_samples=least)
    pools = _by_skill(kept.rows)
    if missing := sorted(wanted - set(pools)):
        raise DataError(
            f"{spec.stage}: no problem of {', '.join(missing)} has a pass rate from {low:g} to {high:g} over at least "
            f"{least} samples ({kept.too_hard} are harder, {kept.too_easy} easier, {kept.unrated} have fewer); "
            "widen difficulty.keep"
        )
    if difficulty.order == "easy_to_hard":
        drawn = apportion(config.mixture, config.prompts_per_step)
        pools = {s: easy_to_hard(pool, rates, max(1, config.steps * drawn[s])) for s, pool in pools.items()}
    return pools, {
        "difficulty/kept": float(len(kept.rows)),
        "difficulty/too_hard": float(kept.too_hard),
        "difficulty/too_easy": float(kept.too_easy),
        "difficulty/unrated": float(kept.unrated),
    }


def _by_skill(rows: Sequence[Row]) -> Pools:
    pools: Pools = defaultdict(list)
    for row in rows:
        pools[row.skill].append(row)
    return pools
