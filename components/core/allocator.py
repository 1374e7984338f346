"""The C library's allocator, told to keep what is freed.

A step on a CPU takes and frees the same hundreds of megabytes again and again. By its defaults glibc gives the top of the
heap back to the kernel each time, which zeroes every page that is taken once more: a tenth of a step of a small model
(`benchmarks/grpo_vs_trl.py`). The peak of a process stays where it was; what it holds below its peak does not shrink.
"""

import ctypes
import sys

TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD = -1, -2, -3  # malloc.h
NEVER, PAD, LARGEST = 2**31 - 1, 64 << 20, 32 << 20
"""Give nothing back; ask the kernel for 64 MiB at a time; map only what is larger than 32 MiB (glibc's own limit)."""


def keep_memory() -> bool:
    """Set the above for this process; False, and nothing changed, where the C library has no ``mallopt`` (musl, macOS)."""
    return set_allocator(trim=NEVER, pad=PAD, mmap=LARGEST)


def set_allocator(*, trim: int, pad: int, mmap: int) -> bool:
    """Bytes free at the heap's top before they are given back, bytes taken beyond a request, least bytes of a mapping."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    settings = ((TRIM_THRESHOLD, trim), (TOP_PAD, pad), (MMAP_THRESHOLD, mmap))
    return mallopt is not None and all([mallopt(name, value) == 1 for name, value in settings])
