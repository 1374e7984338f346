"""What devices can do, hold, draw and cost. Pure; prices and power are defaults that `R1_PRICES` and `R1_POWER` replace."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Device:
    """One device: memory in bytes, FLOP/s of dense products, money per hour, watts."""

    memory: float
    bfloat16: float
    float32: float
    price: float
    watts: float


DEVICES = {
    "H100 PCIe": Device(80e9, 756e12, 51e12, 2.0, 350),
    "H100 NVL": Device(94e9, 835e12, 60e12, 2.5, 400),
    "H100": Device(80e9, 989e12, 67e12, 2.5, 700),
    "H200": Device(141e9, 989e12, 67e12, 3.5, 700),
    "H800": Device(80e9, 989e12, 67e12, 2.0, 700),
    "A100": Device(80e9, 312e12, 19.5e12, 1.5, 400),
}
"""Rates, memory and power: NVIDIA's data sheets, tensor cores for bfloat16 only. Prices: round figures of what an hour was let
for in 2025; H800: the R1 paper's own (arXiv 2501.12948 v2). A longer name stands before the shorter one that it contains."""

CORE = "cpu"
CORE_PRICE, CORE_WATTS = 0.04, 10.0
"""One core: a round figure of a rented virtual core's hour, and a server processor's power over its cores. Both assumed."""


def device_named(name: str) -> str | None:
    """The entry of the table for what torch or a person calls a device; None where there is none.

    >>> device_named("NVIDIA H100 80GB HBM3"), device_named("cpu"), device_named("NVIDIA T4")
    ('H100', 'cpu', None)
    """
    if name == CORE:
        return CORE
    return next((card for card in DEVICES if card in name), None)


def price_of(name: str, prices: dict[str, float]) -> float | None:
    """Money per device-hour: what ``prices`` says, else the table; None where nobody knows."""
    return _known(name, prices, {CORE: CORE_PRICE} | {card: device.price for card, device in DEVICES.items()})


def watts_of(name: str, power: dict[str, float]) -> float | None:
    """Watts of one device: what ``power`` says, else the table; None where nobody knows."""
    return _known(name, power, {CORE: CORE_WATTS} | {card: device.watts for card, device in DEVICES.items()})


def _known(name: str, given: dict[str, float], table: dict[str, float]) -> float | None:
    chosen = next((value for key, value in given.items() if key == name or (key != CORE and key in name)), None)
    entry = device_named(name)
    return chosen if chosen is not None else table.get(entry) if entry else None
