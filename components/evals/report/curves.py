"""Plots as SVG without colours of their own: the page's style gives them, so one drawing serves light, dark and paper.

The same figures give the same bytes: no date, a fixed hash salt, fonts measured with matplotlib's own.
"""

import html
import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from r1flow.components.evals.report.stages import Metrics, number

MAX_POINTS = 150
# What is drawn in the left colour is shown in the page's; each must be used for nothing else.
COLOURS = {"#101112": "var(--ink)", "#707172": "var(--muted)", "#d0d1d2": "var(--line)", "#0a5c8a": "var(--accent)"}
INK, MUTED, LINE, ACCENT = COLOURS
UNITS_PER_INCH = 72  # matplotlib's SVG user units
STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "r1flow",
    "font.size": 9.5,
    "font.sans-serif": ["DejaVu Sans"],
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "text.color": INK,
}


@dataclass(frozen=True)
class Curve:
    """A metric of RL that people watch: its key in the history, what it is, its unit and the decimals worth reading."""

    key: str
    title: str
    unit: str
    digits: int
    top: float | None = None
    """Upper end of the axis where it is known; the largest value otherwise."""
    unless_zero: bool = False
    """Left out for a stage in which it is 0 throughout: there it was not measured."""


CURVES = (
    Curve("reward", "Reward", "mean of the weighted sum", 2),
    Curve("pass_at_1", "pass@1 on training problems", "share of completions", 2, top=1.0),
    Curve("length", "Response length", "mean tokens per completion", 1),
    Curve("language", "Language consistency", "share of the target language", 2, top=1.0),
    Curve("reflection", "Reflection", "share with a reflection word", 3),
    Curve("kl", "KL to the reference", "nats per token", 4, unless_zero=True),
    Curve("entropy", "Entropy", "nats per token", 2),
)
LINES = ((MUTED, ":"), (MUTED, "-"), (ACCENT, "--"), (ACCENT, "-"))
"""Of drawings with several lines: colour and form of each, in their order."""


def series(history: Sequence[Metrics], key: str) -> list[tuple[float, float]]:
    """(step, value) of one metric; the start model's own figures (``preflight/...``) stand at step 0."""
    return [(row["step"], value) for row in history if (value := row.get(key, row.get(f"preflight/{key}"))) is not None]


def thin(points: Sequence[tuple[float, float]]) -> tuple[list[tuple[float, float]], int]:
    """At most ``MAX_POINTS`` points, each the mean of as many steps as the second value says."""
    size = -(-len(points) // MAX_POINTS)
    if size <= 1:
        return list(points), 1
    parts = [points[i : i + size] for i in range(0, len(points), size)]
    return [(sum(x for x, _ in part) / len(part), sum(y for _, y in part) / len(part)) for part in parts], size


def axis_top(largest: float) -> float:
    """The end of an axis that starts at 0: a round number not below ``largest``.

    >>> axis_top(27.4), axis_top(0.031), axis_top(2.0), axis_top(0.0)
    (30.0, 0.04, 2.0, 1.0)
    """
    if largest <= 0:
        return 1.0
    scale = 10.0 ** math.floor(math.log10(largest))
    return round(next(m for m in (1, 1.5, 2, 3, 4, 5, 6, 8, 10, 10.1) if m * scale >= largest * 0.999999) * scale, 12)


def lines_plot(
    name: str, lines: Sequence[Sequence[tuple[float, float]]], *, last: float, top: float, label: str
) -> str:
    """Up to four lines over RL steps up to ``last``, told apart by LINES; one without points is left out."""
    with _style():
        figure, axes = _axes(width=200, height=112, margins=(24, 20, 6, 8))
        for (colour, form), points in zip(LINES, lines, strict=False):
            if points:
                steps, values = zip(*points, strict=True)
                axes.plot(steps, values, "." if len(steps) == 1 else form, color=colour, linewidth=1.6, clip_on=False)
        _step_axis(axes, last)
        _value_axis(axes, top)
        return _svg(figure, name, label)


def curve_plot(name: str, points: Sequence[tuple[float, float]], *, top: float, label: str) -> str:
    """One curve over RL steps, the y axis from 0 to ``top``. ``name`` keeps the drawing's ids apart from others'."""
    with _style():
        figure, axes = _axes(width=200, height=112, margins=(24, 20, 6, 8))
        steps, values = zip(*thin(points)[0], strict=True)
        lone = len(steps) == 1
        axes.plot(steps, values, "o" if lone else "-", color=ACCENT, linewidth=1.6, markersize=4, clip_on=False)
        _step_axis(axes, points[-1][0])
        _value_axis(axes, top)
        return _svg(figure, name, label)


def _step_axis(axes: Any, last: float) -> None:
    axes.set_xlim(0, last or 1)
    axes.set_xticks([0, last] if last else [0], ["0", f"{last:g}"] if last else ["0"])
    for end, side in zip(axes.get_xticklabels(), ("left", "right"), strict=False):
        end.set_horizontalalignment(side)
    axes.set_xlabel("step", labelpad=-9)


def _value_axis(axes: Any, top: float) -> None:
    axes.set_ylim(0, top)
    axes.set_yticks([0, top / 2, top], ["0", f"{top / 2:g}", f"{top:g}"])


def shape_plot(
    name: str,
    stages: Sequence[str],
    points: Sequence[tuple[float, float, float]],
    *,
    top: float,
    digits: int,
    label: str,
    own: bool = True,
) -> str:
    """Figures of successive stages, each (value, low, high) with its interval; the paper's in grey (``own`` False)."""
    colour = ACCENT if own else MUTED
    with _style():
        figure, axes = _axes(width=270, height=150, margins=(26, 20, 4, 4))
        values = [value for value, _, _ in points]
        places = range(len(points))
        axes.plot(places, values, color=colour, linewidth=1, alpha=0.5)
        spread = [[v - low for v, low, _ in points], [high - v for v, _, high in points]]
        axes.errorbar(places, values, yerr=spread, fmt="o", color=colour, markersize=4, elinewidth=1.2)
        for place, value in enumerate(values):
            around = [values[i] for i in (place - 1, place + 1) if 0 <= i < len(values)]
            below = bool(around) and value < min(around) and value > 0.2 * top
            offset = (0, -7) if below else (0, 7)
            axes.annotate(
                number(value, digits),
                (place, value),
                xytext=offset,
                textcoords="offset points",
                ha="center",
                va="top" if below else "bottom",
                fontsize=8.5,
            )
        axes.set_xlim(-0.5, len(points) - 0.5)
        axes.set_xticks(list(places), stages)
        axes.set_ylim(0, top * 1.15)
        axes.set_yticks([0, top / 2, top], ["0", f"{top / 2:g}", f"{top:g}"])
        return _svg(figure, name, label)


def _style() -> Any:
    import matplotlib

    return matplotlib.rc_context(STYLE)


def _axes(*, width: float, height: float, margins: tuple[float, float, float, float]) -> tuple[Any, Any]:
    """A figure of ``width`` by ``height`` user units and its axes inside ``margins`` (left, bottom, right, top)."""
    from matplotlib.figure import Figure

    left, bottom, right, above = margins
    figure = Figure(figsize=(width / UNITS_PER_INCH, height / UNITS_PER_INCH))
    box = (left / width, bottom / height, (width - left - right) / width, (height - bottom - above) / height)
    axes = figure.add_axes(box)
    axes.patch.set_visible(False)
    figure.patch.set_visible(False)
    for side in ("left", "right", "top"):
        axes.spines[side].set_visible(False)
    axes.tick_params(length=0, pad=4)
    axes.grid(axis="y", color=LINE, linewidth=0.6)
    axes.set_axisbelow(True)
    return figure, axes


def _svg(figure: Any, name: str, label: str) -> str:
    """The drawing as an ``<svg>`` element for a page: no prolog, no fixed size, ids of its own, the page's colours."""
    stream = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(stream, format="svg", metadata=nothing)
    text = stream.getvalue()
    body = text[text.index("</defs>") + len("</defs>") :]
    box = re.search(r'viewBox="([^"]+)"', text)
    body = re.sub(r'(\bid="|xlink:href="#|url\(#)', rf"\g<1>{name}-", body)
    for drawn, shown in COLOURS.items():
        body = body.replace(drawn, shown)
    return f'<svg viewBox="{box[1] if box else ""}" role="img" aria-label="{html.escape(label)}">{body}'
