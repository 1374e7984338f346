"""What the device can do and how much of its memory was taken: facts for metrics, never for results."""

import resource
import sys
import time
from functools import cache

import torch

from r1flow.components.core.devices import DEVICES, device_named

SIZE, REPEAT = 512, 5
GIB = float(2**30)


def peak_flops(device: torch.device, dtype: torch.dtype) -> float | None:
    """Operations a second at best: a table for GPUs, measured once per process on a CPU; None where nobody knows."""
    if device.type == "cpu":
        return _measured(torch.get_num_threads(), dtype)
    return card_flops(torch.cuda.get_device_name(device), dtype) if device.type == "cuda" else None


def card_flops(name: str, dtype: torch.dtype) -> float | None:
    """The peak of the card that torch calls ``name``.

    >>> card_flops("NVIDIA H100 80GB HBM3", torch.bfloat16), card_flops("NVIDIA T4", torch.bfloat16)
    (989000000000000.0, None)
    """
    known = DEVICES.get(device_named(name) or "")
    return None if known is None else known.bfloat16 if dtype == torch.bfloat16 else known.float32


@cache
def _measured(threads: int, dtype: torch.dtype) -> float:
    """The rate of a large matrix product on this CPU, the best of some, the first left out."""
    a, b = torch.ones(SIZE, SIZE, dtype=dtype), torch.ones(SIZE, SIZE, dtype=dtype)
    best = float("inf")
    for attempt in range(REPEAT + 1):
        started = time.perf_counter()
        a @ b
        best = min(best, time.perf_counter() - started) if attempt else best
    return 2 * SIZE**3 / best


def settle(device: torch.device) -> None:
    """Wait until the device has done what it was told, so that a clock reads what it should."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def forget_peak(device: torch.device) -> None:
    """Begin a new measurement of peak memory; a CPU keeps its process's."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def held_memory(device: torch.device) -> float:
    """GiB that the process holds at this moment, on a CPU; a GPU counts tensors alone, and there are none at the start."""
    if device.type != "cpu":
        return 0.0
    import psutil  # a bare image has torch and transformers alone

    return float(psutil.Process().memory_info().rss) / GIB


def peak_memory(device: torch.device) -> float:
    """GiB: what tensors took at most on a GPU since :func:`forget_peak`; the largest resident set of the process on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / GIB
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / GIB
