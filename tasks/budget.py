"""What a run's stages have cost so far, and the moment when that is enough."""

import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from r1flow.components.core.cuda import describe_device
from r1flow.components.core.devices import CORE, price_of, watts_of
from r1flow.components.core.errors import BudgetExhausted, ConfigError
from r1flow.components.core.spool import read_spool
from r1flow.components.costs.bill import Rate, Spent, spent
from r1flow.components.costs.ranks import ranks_of
from r1flow.components.data.curation.pool import available
from r1flow.components.programs.spec import STOP
from r1flow.components.recipe.kinds import Kind
from r1flow.components.recipe.recipe import Recipe
from r1flow.components.recipe.run import RunConfig
from r1flow.components.recipe.settings import Settings

UNKNOWN = Rate(None, None)
SPENT = "seconds.json"
"""In a stage's work directory: seconds of this and earlier tries, written while it runs. A kill loses less than a second of
them."""


@dataclass
class Budget:
    """Device-seconds by stage against a limit, for all stages of a run; running ones are told to stop when it is reached."""

    device: str = CORE
    rate: Rate = UNKNOWN
    money: float | None = None
    device_hours: float | None = None
    _spent: dict[str, tuple[float, Rate]] = field(default_factory=dict)
    _running: dict[str, Path] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def took(self, key: str, device_seconds: float, rate: Rate | None = None) -> None:
        """Note what the stage ``key`` has taken so far, all in all; tell running stages where that was too much.

        ``rate`` is of the device that computed it, if that was not this machine's.
        """
        with self._lock:
            self._spent[key] = device_seconds, rate or self.rate
            if why := self._why():
                for directory in self._running.values():
                    (directory / STOP).write_text(why, encoding="utf-8")

    def runs(self, key: str, directory: Path) -> None:
        """The stage ``key`` is about to run in ``directory``; raises :class:`BudgetExhausted` where nothing is left for it."""
        with self._lock:
            (directory / STOP).unlink(missing_ok=True)
            if why := self._why():
                raise BudgetExhausted(why)
            self._running[key] = directory

    def ended(self, key: str) -> None:
        with self._lock:
            self._running.pop(key, None)

    def _why(self) -> str:
        """What is exhausted, in words; nothing where something is left."""
        total = sum(seconds for seconds, _ in self._spent.values())
        costs = [rate.money(seconds) for seconds, rate in self._spent.values()]
        money = None if self.rate.price is None else sum(cost or 0.0 for cost in costs)
        if self.device_hours is not None and total / 3600 >= self.device_hours:
            what = f"{total / 3600:.6g} device-hours are spent, run.budget.device_hours is {self.device_hours:g}"
        elif self.money is not None and money is not None and money >= self.money:
            what = f"{money:.6g} is spent, run.budget.money is {self.money:g}"
        else:
            return ""
        return f"{what}. Every stage and step so far is kept: raise the budget, and the same command goes on"


def open_budget(recipe: Recipe, settings: Settings, device: str) -> Budget:
    """The budget of a recipe on this machine; :class:`ConfigError` where money is bounded and the device has no price."""
    card = CORE if device == "cpu" else describe_device()
    rate = rate_of(card, settings)
    budget = recipe.run.budget
    if budget.money is not None and rate.price is None:
        raise ConfigError(
            f"run.budget.money: no price is known for an hour of {card!r}; set R1_PRICES='{{\"{card}\": ...}}', or bound "
            "run.budget.device_hours"
        )
    return Budget(card, rate, budget.money, budget.device_hours)


def rate_of(device: str, settings: Settings) -> Rate:
    """What an hour of a device costs and takes, by the settings and the table of devices."""
    return Rate(price_of(device, settings.prices), watts_of(device, settings.power))


def devices_of(kind: Kind, run: RunConfig, device: str) -> int:
    """How many devices a program holds: what trains on ranks these, others one; on a CPU each with its threads.

    Curation takes every core there is, and no other device.
    """
    on_cpu = device == "cpu"
    if kind.name == "curate":
        return available() if on_cpu else 1
    return ranks_of(run.engine, kind) * (run.threads if on_cpu else 1)


def slots_of(kind: Kind, run: RunConfig) -> int:
    """How many device slots a program takes: one for each rank of what computes with a model, none for the rest."""
    return ranks_of(run.engine, kind) if kind.needs_device else 0


class Clock:
    """Seconds of a stage over all its tries, kept in its work directory."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / SPENT
        self._before = float(json.loads(self._path.read_text())["seconds"]) if self._path.exists() else 0.0
        self._started = time.monotonic()

    def seconds(self) -> float:
        """So far; also written down."""
        total = self._before + time.monotonic() - self._started
        part = self._path.with_suffix(".part")
        part.write_text(json.dumps({"seconds": total}))
        part.replace(self._path)
        return total


def stage_cost(
    budget: Budget, devices: int, directory: Path, seconds: float, config: Mapping[str, Any], metrics: Mapping[str, Any]
) -> Spent:
    """What a stage took whose program has ended: its spool's steps, its seconds, an evaluation's tokens."""
    spool = directory / "metrics.jsonl"
    steps = [row.metrics for row in read_spool(spool)] if spool.exists() else []
    return spent(steps, device=budget.device, devices=devices, seconds=seconds, evaluated=_evaluated(config, metrics))


def _evaluated(config: Mapping[str, Any], metrics: Mapping[str, Any]) -> float:
    """Tokens that were generated and not trained on: an evaluation's mean length times samples times problems of every suite,
    and what a program counted itself."""
    suites = config.get("suites")
    if not isinstance(suites, Mapping):
        return float(metrics.get("generated", 0.0))
    measured = {name: suite for name, suite in suites.items() if f"{name}/length" in metrics}  # curation has suites too
    return sum(
        float(metrics[f"{name}/length"]) * float(metrics[f"{name}/problems"]) * int(suite["samples"])
        for name, suite in measured.items()
    )
