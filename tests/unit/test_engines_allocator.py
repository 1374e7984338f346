"""The allocator's settings take effect, in a process of their own."""

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys
import torch
from components.engines.allocator import keep_memory
if sys.argv[1] == "keep":
    assert keep_memory()
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(50):
        parts = [torch.ones(1 << 20) for _ in range(8)]  # 8 x 4 MiB
        del parts
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
print(faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_memory_that_is_taken_again_is_not_asked_of_the_kernel_again() -> None:
    def faults(how: str) -> int:
        done = subprocess.run([sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=True)
        return int(done.stdout)

    assert faults("keep") < 100
    assert faults("default") > 100 * faults("keep")
