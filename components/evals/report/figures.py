"""Which plots a report has, and what stands beside them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from r1flow.components.evals.report import paper
from r1flow.components.evals.report.curves import CURVES, Curve, axis_top, curve_plot, series, shape_plot, thin
from r1flow.components.evals.report.names import Names
from r1flow.components.evals.report.stages import Metrics, number, share_interval

LETTERS = 44
"""Of all names under a drawing together."""


@dataclass(frozen=True)
class Panel:
    """One drawing: its title, what is said beside it, the SVG."""

    title: str
    beside: str
    svg: Markup


@dataclass(frozen=True)
class CurveFigure:
    """One metric over the steps of every RL stage, on one scale; a point is the mean of ``steps_per_point`` steps."""

    curve: Curve
    panels: tuple[Panel, ...]
    steps_per_point: int


def curve_figures(histories: Mapping[str, Sequence[Metrics]], names: Names) -> list[CurveFigure]:
    """A figure for every metric that some RL stage recorded."""
    stages = [s for s in names.in_order(histories) if any("reward" in row for row in histories[s])]
    figures = []
    for curve in CURVES:
        lines = {stage: points for stage in stages if (points := _points(histories[stage], curve))}
        if not lines:
            continue
        top = curve.top or axis_top(max(value for points in lines.values() for _, value in points))
        panels = tuple(_curve_panel(curve, stage, points, top, names) for stage, points in lines.items())
        figures.append(CurveFigure(curve, panels, max(thin(points)[1] for points in lines.values())))
    return figures


def _points(history: Sequence[Metrics], curve: Curve) -> list[tuple[float, float]]:
    points = series(history, curve.key)
    return [] if curve.unless_zero and not any(value for _, value in points) else points


def _curve_panel(curve: Curve, stage: str, points: Sequence[tuple[float, float]], top: float, names: Names) -> Panel:
    first, last = (number(points[end][1], curve.digits) for end in (0, -1))
    label = f"{curve.title} over the steps of {names.title(stage)}: from {first} to {last}, {curve.unit}"
    svg = curve_plot(f"{curve.key}-{stage}", points, top=top, label=label)
    return Panel(names.short(stage), f"{first} \u2192 {last}", Markup(svg))


def shape_figures(
    metrics_by_model: Mapping[str, Metrics], suites: Sequence[str], names: Names, *, beside_paper: bool
) -> list[Panel]:
    """pass@1 along the main line, one drawing per suite, and the paper's; none for a line of fewer than three models."""
    panels = []
    for index, suite in enumerate(suites):
        key = f"{suite}/pass_at_1"
        models = [m for m in names.line(metrics_by_model) if key in metrics_by_model[m]]
        if len(models) < 3:
            continue
        points = [_interval(metrics_by_model[m], key) for m in models]
        label = f"pass@1 on {suite} by stage: " + ", ".join(
            f"{names.title(m)} {point[0]:.3f}" for m, point in zip(models, points, strict=True)
        )
        svg = shape_plot(
            f"shape-{index}", ticks([names.short(m) for m in models]), points, top=1.0, digits=2, label=label
        )
        panels.append(Panel(f"This run: {suite}", "pass@1, share of samples", Markup(svg)))
    return [*panels, _paper_panel()] if panels and beside_paper else panels


def ticks(titles: Sequence[str]) -> list[str]:
    """Titles cut to what has room beside the others under a drawing.

    >>> ticks(["Base", "R1-Zero"]), ticks(["Qwen2.5-1.5B", *"abcdef"])
    (['Base', 'R1-Zero'], ['Qwen2\u2026', 'a', 'b', 'c', 'd', 'e', 'f'])
    """
    room = max(LETTERS // len(titles), 3)
    return [title if len(title) <= room else title[: room - 1] + "\u2026" for title in titles]


def _paper_panel() -> Panel:
    points = [(row.aime, row.aime, row.aime) for row in paper.STAGES]
    label = "The paper's AIME 2024 pass@1 by stage: " + ", ".join(f"{s.title} {s.aime} %" for s in paper.STAGES)
    titles = ticks([row.title.partition(" (")[0] for row in paper.STAGES])
    svg = shape_plot("shape-paper", titles, points, top=100.0, digits=1, label=label, own=False)
    return Panel("The paper: AIME 2024", "pass@1, %", Markup(svg))


def _interval(metrics: Metrics, key: str) -> tuple[float, float, float]:
    value = metrics[key]
    low, high = share_interval(metrics, key) or (value, value)
    return (value, low, high)
