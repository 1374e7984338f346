"""The plan beside what was measured, as a table."""

from collections.abc import Mapping, Sequence
from typing import Any

from r1flow.components.evals.report.names import Names

COLUMNS = (
    "GiB",
    "measured",
    "off",
    "tokens at most",
    "measured",
    "TFLOP",
    "counted",
    "device-s",
    "measured",
    "off",
)


def planned_table(lines: Sequence[Mapping[str, Any]], names: Names) -> list[tuple[str, list[str]]]:
    """A row of texts per RL stage, in the order of ``COLUMNS``."""
    return [(names.title(line["stage"]), _cells(line)) for line in lines]


def _cells(line: Mapping[str, Any]) -> list[str]:
    return [
        f"{line['memory']:.3g}",
        f"{line['memory_measured']:.3g}",
        _off(line["memory"], line["memory_measured"]),
        f"{line['tokens']:,.0f}",
        f"{line['tokens_measured']:,.0f}",
        f"{line['tflop']:.3g}",
        f"{line['tflop_measured']:.3g}",
        "sets the rate" if line["seconds"] is None else f"{line['seconds']:,.1f}",
        f"{line['seconds_measured']:,.1f}",
        _off(line["seconds"], line["seconds_measured"]),
    ]


def _off(planned: float | None, measured: float) -> str:
    """How far the plan lies above what was measured.

    >>> _off(1.1, 1.0), _off(None, 1.0), _off(3.0, 4.0)
    ('+10 %', '', '-25 %')
    """
    return "" if planned is None or not measured else f"{100 * (planned / measured - 1):+.0f} %"
