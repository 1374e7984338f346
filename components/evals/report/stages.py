"""The stage table: what every model of a run scores, in the recipe's order. Pure; the command line prints it too."""

from collections.abc import Mapping, Sequence

from r1flow.components.evals.report.names import Names

Metrics = Mapping[str, float]


def suites_of(metrics_by_model: Mapping[str, Metrics], names: Names) -> list[str]:
    """The suites that were measured: first the one with the most to learn (lowest pass@1 at the start), then by name."""
    suffix = "/pass_at_1"
    suites = {
        key.removesuffix(suffix) for metrics in metrics_by_model.values() for key in metrics if key.endswith(suffix)
    }

    def start(suite: str) -> float:
        measured = (metrics_by_model[model].get(suite + suffix) for model in names.in_order(metrics_by_model))
        return next(value for value in measured if value is not None)

    first = min(sorted(suites), key=start, default="")
    return sorted(suites, key=lambda suite: (suite != first, suite))


def stage_rows(metrics_by_model: Mapping[str, Metrics], suites: Sequence[str], names: Names) -> list[dict[str, str]]:
    """One row per model with a key ``stage`` and, for every suite, ``<suite> <column>``; all rows have the same keys.

    ``metrics_by_model`` holds the ``metrics.json`` of each model's evaluation. Shares have three decimals, the length (in
    tokens) one; what was not measured is empty.

    >>> row = stage_rows({"r1": {"sums/pass_at_1": 0.9812, "sums/length": 23.04}}, ["sums"], Names({"r1": "R1"}))[0]
    >>> row["stage"], row["sums pass@1"], row["sums tokens"], row["sums format"]
    ('R1', '0.981', '23.0', '')
    """
    tables = {suite: suite_rows(metrics_by_model, suite, names) for suite in suites}
    return [
        {"stage": names.title(model)}
        | {f"{suite} {name}": text for suite in suites for name, text in tables[suite][model].items()}
        for model in names.in_order(metrics_by_model)
    ]


def suite_rows(metrics_by_model: Mapping[str, Metrics], suite: str, names: Names) -> dict[str, dict[str, str]]:
    """By model, in recipe order: the columns of one suite's table."""
    votes = _votes(metrics_by_model, suite)
    return {model: _cells(metrics_by_model[model], suite, votes) for model in names.in_order(metrics_by_model)}


def _cells(metrics: Metrics, suite: str, votes: Sequence[str]) -> dict[str, str]:
    interval = share_interval(metrics, f"{suite}/pass_at_1")
    return {
        "pass@1": share(metrics.get(f"{suite}/pass_at_1")),
        "95 % interval": "" if interval is None else "{:.3f} to {:.3f}".format(*interval),
        **{f"cons@{k}": share(metrics.get(f"{suite}/cons_at_{k}")) for k in votes},
        "format": share(metrics.get(f"{suite}/format")),
        "language": share(metrics.get(f"{suite}/language")),
        "tokens": number(metrics.get(f"{suite}/length"), 1),
    }


def level_rows(
    metrics_by_model: Mapping[str, Metrics], suite: str, names: Names
) -> tuple[list[int], dict[str, list[str]]]:
    """The suite's levels, and by model pass@1 at each of them; no levels where problems have none."""
    prefix = f"{suite}/pass_at_1_level_"
    keys = {key for metrics in metrics_by_model.values() for key in metrics if key.startswith(prefix)}
    levels = sorted(int(key.removeprefix(prefix)) for key in keys)
    rows = {
        model: [share(metrics_by_model[model].get(f"{prefix}{level}")) for level in levels]
        for model in names.in_order(metrics_by_model)
    }
    return levels, rows


def headline(metrics_by_model: Mapping[str, Metrics], suite: str, names: Names) -> str:
    """The run in one line: pass@1 of the main line's models, as far as they were measured.

    >>> metrics = {"zero": {"sums/pass_at_1": 0.97}, "base": {"sums/pass_at_1": 0.312}}
    >>> headline(metrics, "sums", Names({"base": "Base", "zero": "R1-Zero"}, ("base", "zero")))
    'pass@1 on sums: Base 0.31 -> R1-Zero 0.97'
    """
    metrics = [
        f"{names.short(model)} {metrics_by_model[model][f'{suite}/pass_at_1']:.2f}"
        for model in names.line(metrics_by_model)
        if f"{suite}/pass_at_1" in metrics_by_model[model]
    ]
    return f"pass@1 on {suite}: {' -> '.join(metrics)}" if metrics else ""


def share_interval(metrics: Metrics, key: str) -> tuple[float, float] | None:
    """The 95 % interval of a share, never beyond 0 and 1, whatever was stored."""
    low, high = metrics.get(f"{key}_low"), metrics.get(f"{key}_high")
    return None if low is None or high is None else (max(0.0, low), min(1.0, high))


def share(value: float | None) -> str:
    return number(value, 3)


def number(value: float | None, digits: int) -> str:
    """Fixed decimals, so that columns align on the point; nothing for nothing."""
    return "" if value is None else f"{value:.{digits}f}"


def _votes(metrics_by_model: Mapping[str, Metrics], suite: str) -> list[str]:
    prefix = f"{suite}/cons_at_"
    found = {
        key.removeprefix(prefix) for metrics in metrics_by_model.values() for key in metrics if key.startswith(prefix)
    }
    return sorted((k for k in found if k.isdecimal()), key=int)  # their intervals have names that go on
