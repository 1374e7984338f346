"""From components to one reward: a weighted sum, and the metrics each component is logged with. Pure."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Components = Mapping[str, Sequence[float | None]]


@dataclass(frozen=True)
class ComponentStats:
    """Mean and sample standard deviation (n-1; 0 below two values) of what was scored, and the share that was not."""

    mean: float | None
    std: float | None
    none_rate: float


def mix(
    components: Components, weights: Mapping[str, float], gates: Mapping[str, str] | None = None
) -> list[float | None]:
    """``total_i = sum_c weight_c * component_c,i`` for every completion i.

    ``gates`` maps a component to the one that has to be above 0 for it to count: a closed gate makes it 0.

    Total is None (masked out of its group) where ``accuracy`` is None, or any component that has a weight other than 0:
    an answer that could not be scored is not an answer that scored nothing. A component without a weight counts 0.
    Raises ValueError for a weight without a component, and for components of unequal length.
    """
    if unknown := sorted((set(weights) | set(gates or {}) | set((gates or {}).values())) - set(components)):
        raise ValueError(f"weights or gates {unknown} name no component; there are {sorted(components)}")
    gates = gates or {}
    needed = {name for name in components if weights.get(name, 0.0) != 0.0 or name == "accuracy"}
    needed |= {gate for name, gate in gates.items() if name in needed}
    totals: list[float | None] = []
    for values in zip(*components.values(), strict=True):
        scored = dict(zip(components, values, strict=True))
        if any(scored[name] is None for name in needed):
            totals.append(None)
        else:
            open_ = {name for name in weights if name not in gates or (scored[gates[name]] or 0.0) > 0}
            totals.append(sum(weight * (scored[name] or 0.0) for name, weight in weights.items() if name in open_))
    return totals


def component_stats(values: Sequence[float | None]) -> ComponentStats:
    """Statistics of one component over a batch; mean and std are None when nothing was scored."""
    scored = [value for value in values if value is not None]
    none_rate = 1 - len(scored) / len(values) if values else 0.0
    if not scored:
        return ComponentStats(None, None, none_rate)
    return ComponentStats(statistics.fmean(scored), statistics.stdev(scored) if len(scored) > 1 else 0.0, none_rate)
