"""Random numbers as a function of names, never of order.

Every random choice in r1flow is drawn from a generator keyed by what the choice is *for*: run seed, purpose, step, row.
So a resumed run, another batch size or another number of workers draws the same numbers, and no generator state has to
be saved in a checkpoint.
"""

import hashlib
import json
import random

import numpy as np

Name = str | int


def derive_seed(seed: int, *names: Name) -> int:
    """A 64-bit seed for the purpose ``names`` under the run's ``seed``.

    >>> derive_seed(0, "eval", 3) == derive_seed(0, "eval", 3) != derive_seed(0, "eval", 4)
    True
    """
    text = json.dumps([seed, *names], separators=(",", ":"))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def python_rng(seed: int, *names: Name) -> random.Random:
    """A ``random.Random`` of its own for one purpose."""
    return random.Random(derive_seed(seed, *names))


def uniforms(seed: int, *names: Name, num: int) -> np.ndarray:
    """``num`` numbers in [0, 1), float64, from a Philox counter keyed by the purpose."""
    return np.random.Generator(np.random.Philox(key=derive_seed(seed, *names))).random(num)
