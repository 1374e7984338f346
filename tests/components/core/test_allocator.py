"""The allocator's settings take effect, in a process of their own."""

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import ctypes, sys
from r1flow.components.core.allocator import keep_memory
if sys.argv[1] == "keep":
    assert keep_memory()
class Info(ctypes.Structure):  # malloc.h, struct mallinfo2
    names = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()
    _fields_ = [(name, ctypes.c_size_t) for name in names]
libc = ctypes.CDLL(None)
libc.mallinfo2.restype, libc.malloc.restype = Info, ctypes.c_void_p
libc.free.argtypes = [ctypes.c_void_p]
parts = [libc.malloc(16 << 20) for _ in range(4)]
for part in parts:
    libc.free(part)
print(libc.mallinfo2().fordblks)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_memory_that_is_freed_stays_with_the_process() -> None:
    """Asked of glibc itself: not every kernel counts page faults."""

    def free(how: str) -> int:
        done = subprocess.run([sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=True)
        return int(done.stdout)

    assert free("keep") > 64 << 20 > 2 * free("default")
