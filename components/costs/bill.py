"""The bill: device-seconds by stage and phase, money and energy, per million tokens and per point of pass@1. Pure.

``money = device-seconds / 3600 x price``, ``kWh = device-seconds x watts / 3.6e6``. Device-seconds are seconds on the clock
times the devices that a stage holds (a CPU's cores count one each), from the start of its program to its end, over all tries.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

PHASES = ("sample", "score", "update", "sync")
MILLION = 1e6


@dataclass(frozen=True)
class Spent:
    """What a stage took. ``phases`` are device-seconds of its steps by phase, in the steps that count; ``out`` tokens generated,
    ``read`` tokens trained on. Of RL alone: ``tflop`` of sampling and update, ``prompt`` mean tokens of a prompt, ``memory_gib``
    of a rank at most (on a CPU above what the process held before it had a model)."""

    device: str
    devices: int
    device_seconds: float
    phases: dict[str, float] = field(default_factory=dict)
    out: float = 0.0
    read: float = 0.0
    tflop: float = 0.0
    prompt: float = 0.0
    memory_gib: float = 0.0


def kept_cost(provenance: Mapping[str, Any]) -> Spent | None:
    """What an artifact took, from its provenance; None where that was not written down yet."""
    kept = provenance.get("cost")
    return Spent(**kept) if kept else None


def spent(
    steps: Iterable[Mapping[str, float]], *, device: str, devices: int, seconds: float, evaluated: float = 0.0
) -> Spent:
    """From the metrics of a stage's steps. RL trains on what it samples; SFT's tokens are all trained on; ``evaluated`` tokens
    were generated in an evaluation.

    >>> steps = [{"time/sample_s": 2.0, "time/update_s": 1.0, "tokens": 50.0}, {"time/sample_s": 1.0, "tokens": 30.0}]
    >>> found = spent(steps, device="cpu", devices=2, seconds=10)
    >>> found.device_seconds, found.phases, found.out, found.read
    (20, {'sample': 6.0, 'update': 2.0}, 80.0, 80.0)
    """
    phases: dict[str, float] = {}
    out, read = evaluated, 0.0
    known = list(steps)
    for step in known:
        for phase in PHASES:
            if f"time/{phase}_s" in step:
                phases[phase] = phases.get(phase, 0.0) + devices * step[f"time/{phase}_s"]
        if "tokens" in step and not step.keys() & {
            "time/update_s",
            "time/sample_s",
        }:  # SFT has no phases: all is update
            phases["update"] = phases.get("update", 0.0) + devices * step.get("time/step_s", 0.0)
        else:
            out += step.get("tokens", 0.0)
        read += step.get("tokens", 0.0)
    prompts = [step["work/prompt_tokens"] for step in known if "work/prompt_tokens" in step]
    start = max((step.get("memory/start_gib", 0.0) for step in known), default=0.0)
    peak = max((step["memory/peak_gib"] for step in known if "memory/peak_gib" in step), default=start)
    return Spent(
        device,
        devices,
        devices * seconds,
        phases,
        out,
        read,
        tflop=sum(step.get("work/tflop", 0.0) for step in known),
        prompt=sum(prompts) / len(prompts) if prompts else 0.0,
        memory_gib=peak - start,
    )


@dataclass(frozen=True)
class Rate:
    """Money per device-hour and watts of a device; None where nobody knows."""

    price: float | None
    watts: float | None

    def money(self, device_seconds: float) -> float | None:
        return None if self.price is None else device_seconds / 3600 * self.price

    def energy(self, device_seconds: float) -> float | None:
        return None if self.watts is None else device_seconds * self.watts / 3.6e6


def stage_bill(name: str, cost: Spent, rate: Rate, points: float | None = None) -> dict[str, Any]:
    """A line of the bill. ``per_million_out`` is the sampling phase's money over tokens generated, ``per_million_in`` the update
    phase's over tokens trained on; ``per_point`` the stage's money over the ``points`` of pass@1 (of 100) that its model lies
    above the one it starts from, None where it does not."""
    money = rate.money(cost.device_seconds)
    return {
        "stage": name,
        "device": cost.device,
        "devices": cost.devices,
        "device_seconds": cost.device_seconds,
        "phases": cost.phases,
        "tokens_out": cost.out,
        "tokens_trained": cost.read,
        "money": money,
        "energy_kwh": rate.energy(cost.device_seconds),
        "per_million_out": _per_million(rate.money(cost.phases.get("sample", 0.0)), cost.out),
        "per_million_in": _per_million(rate.money(cost.phases.get("update", 0.0)), cost.read),
        "points": points,
        "per_point": money / points if money is not None and points is not None and points > 0 else None,
    }


def total_bill(lines: Sequence[Mapping[str, Any]], points: float | None = None) -> dict[str, Any]:
    """All stages together, reused ones at what they cost when they were computed. A sum with an unknown part is unknown.

    ``points`` are those of pass@1 by which the last model of the main line lies above the first.
    """
    sampled = [line for line in lines if line["phases"].get("sample")]
    trained = [line for line in lines if line["phases"].get("update")]
    money = _sum(lines, "money")
    phases: dict[str, float] = {}
    for line in lines:
        for phase, seconds in line["phases"].items():
            phases[phase] = phases.get(phase, 0.0) + seconds
    return {
        "device_seconds": sum(line["device_seconds"] for line in lines),
        "phases": phases,
        "tokens_out": sum(line["tokens_out"] for line in lines),
        "tokens_trained": sum(line["tokens_trained"] for line in lines),
        "money": money,
        "energy_kwh": _sum(lines, "energy_kwh"),
        "per_million_out": _mean_rate(sampled, "per_million_out", "tokens_out"),
        "per_million_in": _mean_rate(trained, "per_million_in", "tokens_trained"),
        "points": points,
        "per_point": money / points if money is not None and points is not None and points > 0 else None,
    }


def cost_metrics(line: Mapping[str, Any]) -> dict[str, float]:
    """A line of the bill as metrics ``cost/...``, as far as it is known."""
    flat = {name: value for name, value in line.items() if isinstance(value, int | float) and name != "devices"}
    flat |= {f"{phase}_device_seconds": seconds for phase, seconds in line["phases"].items()}
    return {f"cost/{name}": float(value) for name, value in flat.items()}


def _per_million(money: float | None, tokens: float) -> float | None:
    return money / tokens * MILLION if money and tokens else None


def _sum(lines: Sequence[Mapping[str, Any]], key: str) -> float | None:
    values = [line[key] for line in lines]
    return None if any(value is None for value in values) else float(sum(values))


def _mean_rate(lines: Sequence[Mapping[str, Any]], key: str, tokens: str) -> float | None:
    """The money of all lines over the tokens of all."""
    known = [(line[key] * line[tokens], line[tokens]) for line in lines if line[key] is not None]
    num = sum(count for _, count in known)
    return sum(money for money, _ in known) / num if num else None
