"""How a policy learns to look back: the figures and tables of the report's section, from what the lakes say."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from r1flow.components.evals.aha_counts import BANDS, Tracked, Word, track
from r1flow.components.evals.report.curves import Curve, axis_top, curve_plot, lines_plot, thin
from r1flow.components.evals.report.figures import CurveFigure, Panel
from r1flow.components.evals.report.names import Names
from r1flow.components.evals.report.samples import printable
from r1flow.components.evals.report.stages import number
from r1flow.components.rewards.markers import KINDS, Finder
from r1flow.components.store.rollouts import lake

CURVES = (
    ("reflection_markers", Curve("reflection_words", "Reflection words", "mean number per completion", 3)),
    ("backtracking_completions", Curve("backtracking", "Backtracking", "share of completions", 3)),
    ("self_check_completions", Curve("self_check", "Self-checks", "share of completions", 3)),
)
LENGTH = Curve("length_by_band", "Response length by difficulty", "mean tokens per completion", 1)
BINS = 12
"""Points of a line by difficulty: a single step has few problems of each band."""
SHOWN = 10
"""Markers of each stage that the table lists."""


@dataclass(frozen=True)
class First:
    """A marker, how often it occurs, and where it occurred first; ``link`` leads to that completion on the page."""

    stage: str
    marker: str
    language: str
    kind: str
    occurrences: str
    step: int
    prompt_id: str
    sample: int
    excerpt: str
    link: str


def track_lakes(inputs: Mapping[str, Path], finder: Finder, names: Names) -> dict[str, Tracked]:
    """What the lakes of a run's RL stages say, by stage."""
    with_lake = [stage for stage in names.in_order(inputs) if lake.shards(inputs[stage] / "lake")]
    return {stage: track(inputs[stage] / "lake", finder) for stage in with_lake}


def aha(tracked: Mapping[str, Tracked], shown: Iterable[tuple[str, int, str]], names: Names) -> dict[str, Any] | None:
    """The section: curves, lengths by difficulty, a table by difficulty, first occurrences. None without a lake.

    ``shown``: the groups (stage, step, problem) that the page has completions of, which alone can be linked.
    """
    if not tracked:
        return None
    lines = {key: {stage: by_step(found, key) for stage, found in tracked.items()} for key, _ in CURVES}
    never = [curve.title.lower() for key, curve in CURVES if not _ever(lines[key])]
    figures = [_figure(curve, lines[key], names) for key, curve in CURVES if _ever(lines[key])]
    return {
        "never": " and ".join(never),
        "figures": [*figures, _lengths(tracked, names)],
        "bands": [row for stage, found in tracked.items() for row in _band_rows(names.title(stage), found)],
        "firsts": firsts(tracked, set(shown), names),
        "every": max(found.every for found in tracked.values()),
        "shown": SHOWN,
    }


def by_step(found: Tracked, key: str) -> list[tuple[float, float]]:
    """(step, mean of ``key`` per completion)."""
    steps = sorted({step for step, _ in found.steps})
    return [(float(step), _mean(_of(found, {step}), key)) for step in steps]


def by_bin(found: Tracked, band: str, key: str) -> list[tuple[float, float]]:
    """The same over problems of one band, in at most BINS stretches of steps; stretches without such a problem are left out."""
    steps = sorted({step for step, _ in found.steps})
    size = -(-len(steps) // BINS)
    parts = [steps[start : start + size] for start in range(0, len(steps), size)]
    rows = [(sum(part) / len(part), _of(found, set(part), band)) for part in parts]
    return [(middle, _mean(sums, key)) for middle, sums in rows if sums]


def firsts(tracked: Mapping[str, Tracked], shown: set[tuple[str, int, str]], names: Names) -> list[First]:
    """Of every stage the SHOWN markers that occur most often, in the order in which they first occurred."""
    found = []
    for stage, of_stage in tracked.items():
        for (language, marker), kinds in sorted(_most(of_stage).items(), key=lambda pair: (pair[1][1].step, pair[0])):
            counted, word = kinds
            linked = (stage, word.step, word.prompt_id) in shown
            found.append(
                First(
                    stage=names.title(stage),
                    marker=marker,
                    language=language,
                    kind=", ".join(name.replace("_", "-") for name in counted),
                    occurrences=f"{word.occurrences:,}",
                    step=word.step,
                    prompt_id=word.prompt_id,
                    sample=word.sample,
                    excerpt=printable(word.excerpt),
                    link=address(stage, word.step, word.prompt_id, word.sample) if linked else "",
                )
            )
    return found


def wanted(tracked: Mapping[str, Tracked]) -> dict[str, set[tuple[int, str]]]:
    """By stage: the groups (step, problem) with the first occurrences that the table lists."""
    return {
        stage: {(word.step, word.prompt_id) for _, word in _most(found).values()} for stage, found in tracked.items()
    }


def _most(found: Tracked) -> dict[tuple[str, str], tuple[list[str], Word]]:
    """By language and marker the most frequent: the kinds that it counts as, and what was found of it."""
    merged: dict[tuple[str, str], tuple[list[str], Word]] = {}
    for (language, kind, marker), word in sorted(found.words.items()):
        merged.setdefault((language, marker), ([], word))[0].append(kind)
    most = sorted(merged.items(), key=lambda pair: (-pair[1][1].occurrences, pair[0]))[:SHOWN]
    return dict(most)


def address(stage: str, step: int, prompt_id: str, sample: int) -> str:
    """The fragment of the page that shows one completion in its group.

    >>> address("zero", 3, "sum/1", 0)
    '#rollout/zero/3/sum%2F1/0'
    """
    return "#rollout/" + "/".join(quote(str(part), safe="") for part in (stage, step, prompt_id, sample))


def _ever(lines: Mapping[str, Sequence[tuple[float, float]]]) -> bool:
    return any(value for points in lines.values() for _, value in points)


def _figure(curve: Curve, lines: Mapping[str, Sequence[tuple[float, float]]], names: Names) -> CurveFigure:
    top = axis_top(max(value for points in lines.values() for _, value in points))
    panels = []
    for stage, points in lines.items():
        first, last = (number(points[end][1], curve.digits) for end in (0, -1))
        label = f"{curve.title} over the steps of {names.title(stage)}: from {first} to {last}, {curve.unit}"
        svg = curve_plot(f"{curve.key}-{stage}", points, top=top, label=label)
        panels.append(Panel(names.short(stage), f"{first} \u2192 {last}", Markup(svg)))
    return CurveFigure(curve, tuple(panels), max(thin(points)[1] for points in lines.values()))


def _lengths(tracked: Mapping[str, Tracked], names: Names) -> CurveFigure:
    lines = {stage: [by_bin(found, band, "tokens") for band in BANDS] for stage, found in tracked.items()}
    top = axis_top(max(value for bands in lines.values() for points in bands for _, value in points))
    panels = []
    for stage, bands in lines.items():
        ends = [
            f"{band}: {number(points[0][1], 1)} to {number(points[-1][1], 1)}"
            for band, points in zip(BANDS, bands, strict=True)
            if points
        ]
        label = f"{LENGTH.title}, {names.title(stage)}; problems by pass rate: {'; '.join(ends)}"
        last = float(max(step for step, _ in tracked[stage].steps))
        svg = lines_plot(f"{LENGTH.key}-{stage}", bands, last=last, top=top, label=label)
        panels.append(Panel(names.short(stage), "", Markup(svg)))
    return CurveFigure(LENGTH, tuple(panels), 1)


def _band_rows(title: str, found: Tracked) -> list[list[str]]:
    """By band: completions; then, from the first third of the steps to the last, tokens, pass@1 and the shares with markers."""
    steps = sorted({step for step, _ in found.steps})
    third = max(1, len(steps) // 3)
    ends = (set(steps[:third]), set(steps[-third:]))
    columns = (
        ("tokens", 1),
        ("correct", 2),
        *((f"{kind}_completions", 3) for kind in KINDS),
    )
    rows = []
    for band in BANDS:
        whole, first, last = (_of(found, of, band) for of in (set(steps), *ends))
        if whole:
            cells = [f"{_cell(first, key, digits)} \u2192 {_cell(last, key, digits)}" for key, digits in columns]
            rows.append([title, band, f"{whole['completions']:,}", *cells])
    return rows


def _cell(sums: Mapping[str, int], key: str, digits: int) -> str:
    return number(_mean(sums, key), digits) if sums else "\u2013"


def _of(found: Tracked, steps: set[int], band: str | None = None) -> dict[str, int]:
    """Sums over steps, of one band or all; empty where there is nothing."""
    rows: Sequence[Mapping[str, int]] = [
        sums for (step, of), sums in found.steps.items() if step in steps and band in (None, of)
    ]
    return {key: sum(row[key] for row in rows) for key in rows[0]} if rows else {}


def _mean(sums: Mapping[str, int], key: str) -> float:
    return sums[key] / sums["completions"]
