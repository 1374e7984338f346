"""From components to one reward: a weighted sum. Pure."""

from collections.abc import Mapping, Sequence

Components = Mapping[str, Sequence[float | None]]


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
