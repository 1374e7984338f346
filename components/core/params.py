"""Settings as MLflow's parameters."""


def flatten(value: object, prefix: str = "") -> dict[str, object]:
    """Nested settings as ``section.field`` parameters.

    >>> flatten({"grpo": {"steps": 3}})
    {'grpo.steps': 3}
    """
    if not isinstance(value, dict):
        return {prefix: value}
    flat: dict[str, object] = {}
    for key, inner in value.items():
        flat |= flatten(inner, f"{prefix}.{key}" if prefix else str(key))
    return flat
