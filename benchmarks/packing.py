"""SFT's forward and backward pass, padded and packed, on the tiny models: seconds per batch, in turn, in one run.

    python benchmarks/packing.py --rounds 9

Prints the medians and their ratio for lengths as the recipe's SFT data has them, for lengths all over, and for the case
that packing cannot help: all documents equally long.
"""

import argparse
import time
from collections.abc import Callable
from random import Random
from statistics import median

import torch

from r1flow.components.core.attention import open_attention
from r1flow.components.core.batching import micro_batches
from r1flow.components.core.models import BUILTIN_MODELS, load_model
from r1flow.components.training.sft.example import Example
from r1flow.components.training.sft.loss import packed_nll, summed_nll
from r1flow.components.training.sft.packing import best_fit

ROWS, MICRO_TOKENS = 64, 16384


def lengths(kind: str, rng: Random) -> list[int]:
    if kind == "SFT data":  # a string task, or a sum of two to five numbers with its thought
        return [rng.choice([17, 18, 19, 22, 31, 43, 55]) for _ in range(ROWS)]
    if kind == "8 to 120":
        return [rng.randint(8, 120) for _ in range(ROWS)]
    return [40] * ROWS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    for name in ("base", "student"):
        model = load_model(BUILTIN_MODELS / name)
        open_attention(model)
        for kind in ("SFT data", "8 to 120", "all 40"):
            rng = Random(0)
            batch = [Example(tuple(rng.randrange(3, 26) for _ in range(n)), 6) for n in lengths(kind, rng)]
            sizes = [len(example.ids) for example in batch]

            def padded(batch=batch, sizes=sizes, model=model) -> None:
                for group in micro_batches(sizes, MICRO_TOKENS):
                    summed_nll(model, [batch[i] for i in group], pad_id=0).backward()

            def packed(batch=batch, sizes=sizes, model=model) -> None:
                for group in best_fit(sizes, MICRO_TOKENS):
                    packed_nll(model, [batch[i] for i in group]).backward()

            slow, fast = in_turn((padded, packed), rounds)
            print(
                f"{name:8} {kind:13} padded {slow * 1e3:6.1f} ms  packed {fast * 1e3:6.1f} ms  packed/padded {fast / slow:.2f}"
            )


def in_turn(functions: tuple[Callable[[], None], ...], rounds: int) -> list[float]:
    """Median seconds of each, after one call that does not count."""
    seconds: dict[Callable[[], None], list[float]] = {function: [] for function in functions}
    for _ in range(rounds + 1):
        for function in functions:
            started = time.perf_counter()
            function()
            seconds[function].append(time.perf_counter() - started)
    return [median(seconds[function][1:]) for function in functions]


if __name__ == "__main__":
    main()
