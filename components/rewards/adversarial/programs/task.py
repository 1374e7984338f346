"""What a programming task of the adversarial tests consists of."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Task:
    """A trusted solution, other right programs, and wrong ones named by what is wrong with them.

    Programs define ``entry``; the first of ``right`` is the one that mutations are made of. ``edges`` are inputs that
    all drawn tests hold: each wrong program fails on at least one of them. ``draw`` gives one more input.
    """

    entry: str
    solve: Callable[..., Any]
    edges: tuple[tuple[Any, ...], ...]
    draw: Callable[[random.Random], tuple[Any, ...]]
    right: Mapping[str, str]
    wrong: Mapping[str, str]
