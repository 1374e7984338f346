"""The one or two metrics of a stage that people look for."""

from collections.abc import Mapping


def headline(metrics: Mapping[str, float | int | str | None]) -> str:
    """``sums/pass@1 0.981``, ``loss 0.412``: at most three."""
    shown = []
    for key, value in metrics.items():
        name = key.rsplit("/", 1)[-1]
        if isinstance(value, int | float) and (
            name in ("pass_at_1", "cases")
            or key in ("loss", "selected", "kept", "parameters", "never_solved", "label_looks_wrong")
        ):
            text = f"{value:,.0f}" if float(value).is_integer() and value > 1 else f"{value:.3f}"
            shown.append(f"{key.replace('pass_at_1', 'pass@1')} {text}")
    return "  ".join(shown[:3])
