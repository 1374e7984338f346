"""The stage table: what every model of a run scores, in the recipe's order. Pure; the command line prints it too."""

from collections.abc import Iterable, Mapping, Sequence

Metrics = Mapping[str, float]

MAIN_LINE = ("base", "r1_zero", "dev1", "dev2", "dev3", "r1")
STUDENTS = ("student", "distilled", "student_rl")
NAMES = {
    "curate": "Curation",
    "ledger": "Ledger of all lakes",
    "certify": "Certificate of the rewards",
    "certify/gradient": "Certificate of the gradient",
    "base": "Base",
    "r1_zero": "R1-Zero",
    "cold_start/chains": "Cold-start chains",
    "dev1": "Dev1 (cold start)",
    "dev2": "Dev2 (reasoning RL)",
    "reject": "Rejection sampling",
    "dev3": "Dev3 (SFT of the base)",
    "r1": "R1",
    "student": "Student base",
    "distilled": "Student (distilled)",
    "student_rl": "Student (RL only)",
}
SHORT = {"base": "base", "r1_zero": "R1-Zero", "r1": "R1"}


def stage_name(stage: str) -> str:
    """A stage as people call it.

    >>> stage_name("r1_zero"), stage_name("evaluate/dev1"), stage_name("mine")
    ('R1-Zero', 'Evaluation of Dev1 (cold start)', 'mine')
    """
    if stage.startswith("evaluate/"):
        return f"Evaluation of {stage_name(stage.removeprefix('evaluate/'))}"
    if stage.endswith("/difficulty"):
        return f"Difficulty for {stage_name(stage.removesuffix('/difficulty'))}"
    return NAMES.get(stage, stage)


def in_recipe_order(stages: Iterable[str]) -> list[str]:
    """The recipe's stages as it runs them, then any others by name; an evaluation stands where its model does."""
    order = {name: place for place, name in enumerate(NAMES)}
    return sorted(stages, key=lambda stage: (order.get(stage.removeprefix("evaluate/"), len(order)), stage))


def suites_of(metrics_by_model: Mapping[str, Metrics]) -> list[str]:
    """The suites that were measured: first the one with the most to learn (lowest pass@1 at the start), then by name."""
    suffix = "/pass_at_1"
    names = {
        key.removesuffix(suffix) for metrics in metrics_by_model.values() for key in metrics if key.endswith(suffix)
    }

    def start(suite: str) -> float:
        measured = (metrics_by_model[model].get(suite + suffix) for model in in_recipe_order(metrics_by_model))
        return next(value for value in measured if value is not None)

    first = min(sorted(names), key=start, default="")
    return sorted(names, key=lambda suite: (suite != first, suite))


def stage_rows(metrics_by_model: Mapping[str, Metrics], suites: Sequence[str]) -> list[dict[str, str]]:
    """One row per model with a key ``stage`` and, for every suite, ``<suite> <column>``; all rows have the same keys.

    ``metrics_by_model`` holds the ``metrics.json`` of each model's evaluation. Shares have three decimals, the length (in
    tokens) one; what was not measured is empty.

    >>> row = stage_rows({"r1": {"sums/pass_at_1": 0.9812, "sums/length": 23.04}}, ["sums"])[0]
    >>> row["stage"], row["sums pass@1"], row["sums tokens"], row["sums format"]
    ('R1', '0.981', '23.0', '')
    """
    tables = {suite: suite_rows(metrics_by_model, suite) for suite in suites}
    return [
        {"stage": stage_name(model)}
        | {f"{suite} {name}": text for suite in suites for name, text in tables[suite][model].items()}
        for model in in_recipe_order(metrics_by_model)
    ]


def suite_rows(metrics_by_model: Mapping[str, Metrics], suite: str) -> dict[str, dict[str, str]]:
    """By model, in recipe order: the columns of one suite's table."""
    votes = _votes(metrics_by_model, suite)
    return {model: _cells(metrics_by_model[model], suite, votes) for model in in_recipe_order(metrics_by_model)}


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


def level_rows(metrics_by_model: Mapping[str, Metrics], suite: str) -> tuple[list[int], dict[str, list[str]]]:
    """The suite's levels, and by model pass@1 at each of them; no levels where problems have none."""
    prefix = f"{suite}/pass_at_1_level_"
    keys = {key for metrics in metrics_by_model.values() for key in metrics if key.startswith(prefix)}
    levels = sorted(int(key.removeprefix(prefix)) for key in keys)
    rows = {
        model: [share(metrics_by_model[model].get(f"{prefix}{level}")) for level in levels]
        for model in in_recipe_order(metrics_by_model)
    }
    return levels, rows


def headline(metrics_by_model: Mapping[str, Metrics], suite: str) -> str:
    """The run in one line: pass@1 of base, R1-Zero and R1, as far as they were measured.

    >>> headline({"r1_zero": {"sums/pass_at_1": 0.97}, "base": {"sums/pass_at_1": 0.312}}, "sums")
    'pass@1 on sums: base 0.31 -> R1-Zero 0.97'
    """
    figures = [
        f"{name} {metrics_by_model[model][f'{suite}/pass_at_1']:.2f}"
        for model, name in SHORT.items()
        if f"{suite}/pass_at_1" in metrics_by_model.get(model, {})
    ]
    return f"pass@1 on {suite}: {' -> '.join(figures)}" if figures else ""


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
