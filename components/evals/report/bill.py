"""The run's bill as tables, and the bills that it stands beside, with their arithmetic."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from r1flow.components.evals.report.names import Names
from r1flow.components.evals.report.stages import number

HOUR = 2.0
"""Dollars for an H800-hour: the paper's own assumption."""
RECIPE_HOURS = {"R1-Zero": 101_000, "SFT data": 5_000, "R1": 41_000}
"""H800-hours (arXiv 2501.12948 v2)."""
PRETRAINING_HOURS = {"pre-training": 2_664_000, "longer context": 119_000, "post-training": 5_000}
"""H800-hours of DeepSeek-V3 (arXiv 2412.19437, table 1), the base of the recipe."""
CLOSED_LAB = 500e6
"""Dollars: what an article estimated for a closed model, beside 'about 6 million' for R1."""
API = {"in": (0.55, 15.0), "out": (2.19, 60.0)}
"""Dollars per million tokens at launch: R1 and o1."""


def paper_bill() -> list[tuple[str, str, str]]:
    """(what, arithmetic, dollars), computed."""
    lines = [(name, f"{hours:,} h x ${HOUR:g}", _dollars(hours * HOUR)) for name, hours in RECIPE_HOURS.items()]
    recipe, base = sum(RECIPE_HOURS.values()), sum(PRETRAINING_HOURS.values())
    both = (recipe + base) * HOUR
    parts = " + ".join(f"{hours / 1000:,.0f}" for hours in RECIPE_HOURS.values())
    base_parts = " + ".join(f"{hours / 1000:,.0f}" for hours in PRETRAINING_HOURS.values())
    return [
        *lines,
        ("the R1 recipe", f"({parts}) thousand h = {recipe:,} h x ${HOUR:g}", _dollars(recipe * HOUR)),
        ("the base, DeepSeek-V3", f"({base_parts}) thousand h = {base:,} h x ${HOUR:g}", _dollars(base * HOUR)),
        ("both: the article's 6 million", f"{recipe + base:,} h x ${HOUR:g}", _dollars(both)),
        ("the recipe's part of both", f"{recipe:,} / {recipe + base:,}", f"{recipe / (recipe + base):.1%}"),
        (
            "the article's 500 million over both",
            f"${CLOSED_LAB / 1e6:g} M / ${both / 1e6:.3g} M",
            f"{CLOSED_LAB / both:.0f} times",
        ),
        *(
            (f"a million tokens {way}: o1 over R1", f"${o1:g} / ${r1:g}", f"{o1 / r1:.1f} times")
            for way, (r1, o1) in API.items()
        ),
    ]


def bill_table(cost: Mapping[str, Any], names: Names) -> dict[str, Any]:
    """The bill for the page, in two tables that fit its width: work and money, a row of texts per stage and the sum; and the
    assumptions in words."""
    named = [*((names.title(line["stage"]), line) for line in cost["stages"]), ("Together", cost["together"])]
    price, watts = cost["price_per_device_hour"], cost["watts"]
    return {
        "tables": [
            (("device-s", "sample", "score", "update", "sync", "tokens out", "tokens trained"),
             [(name, _work(line)) for name, line in named]),
            (("money", "kWh", "per million out", "per million trained", "points", "money per point"),
             [(name, _money(line)) for name, line in named]),
        ],
        "assumed": f"{cost['device']}: {'unknown price' if price is None else f'{price:g} an hour'} and "
        f"{'unknown power' if watts is None else f'{watts:g} W'} for each device",
        "suite": cost["suite"],
    }  # fmt: skip


def _work(line: Mapping[str, Any]) -> list[str]:
    phases = line["phases"]
    return [
        number(line["device_seconds"], 1),
        *(number(phases.get(name), 1) for name in ("sample", "score", "update", "sync")),
        *(f"{line[name]:,.0f}" if line[name] else "" for name in ("tokens_out", "tokens_trained")),
    ]


def _money(line: Mapping[str, Any]) -> list[str]:
    return [
        *(_figure(line[name]) for name in ("money", "energy_kwh", "per_million_out", "per_million_in")),
        number(line["points"], 1),
        _figure(line["per_point"]),
    ]


def _figure(value: float | None) -> str:
    """Three digits that count, without a power of ten.

    >>> _figure(2.664e-6), _figure(1234.0)
    ('0.00000266', '1230')
    """
    return "" if value is None else f"{Decimal(f'{value:.3g}'):f}"


def _dollars(value: float) -> str:
    return f"${value:,.0f}"
