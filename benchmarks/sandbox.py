"""What isolation costs: small Python programs a second in the sandbox, beside the same by plain ``subprocess``.

    python benchmarks/sandbox.py --programs 200 --threads 2

Prints both rates, their ratio and the mean latencies; exits with 1 below 20 sandboxed programs a second.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # runs from a checkout that is not installed

from r1flow.components.processes.sandbox import interpreters
from r1flow.components.processes.sandbox.base import End, Program
from r1flow.components.processes.sandbox.choose import describe, open_sandbox

SOURCE = b"print(sum(map(int, input().split())))\n"
STDIN, EXPECTED = b"19 23\n", b"42\n"
LEAST_PER_SECOND = 20.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=int, default=200)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    sandbox, python = open_sandbox(), interpreters.python()
    program = Program([*python, "main.py"], {"main.py": SOURCE}, STDIN)

    def isolated() -> bool:
        outcome = sandbox.run(program)
        return outcome.end is End.EXITED and outcome.stdout == EXPECTED

    def plain() -> bool:
        done = subprocess.run(
            [*python, "-c", SOURCE.decode()], input=STDIN, capture_output=True, timeout=60, check=True
        )
        return done.stdout == EXPECTED

    print(describe())
    rates = {}
    for name, act in (("plain subprocess", plain), ("sandbox", isolated)):
        seconds = measure(act, arguments.programs, arguments.threads)
        rates[name] = arguments.programs / seconds
        latency = 1000 * seconds * arguments.threads / arguments.programs
        print(f"{name:18} {rates[name]:7.1f} programs/s  {latency:6.1f} ms each, {arguments.threads} at a time")
    ratio = rates["plain subprocess"] / rates["sandbox"]
    print(f"plain over sandbox {ratio:7.2f}")
    if arguments.json:
        arguments.json.write_text(json.dumps({**rates, "ratio": ratio}, indent=1))
    sys.exit(0 if rates["sandbox"] >= LEAST_PER_SECOND else 1)


def measure(act: Callable[[], bool], programs: int, threads: int) -> float:
    """Seconds for ``programs`` runs after one to warm up; every answer must be right."""
    with ThreadPoolExecutor(threads) as pool:
        assert act()
        begun = time.perf_counter()
        right = list(pool.map(lambda _: act(), range(programs)))
        seconds = time.perf_counter() - begun
    if not all(right):
        sys.exit(f"{right.count(False)} of {programs} runs gave a wrong answer")
    return seconds


if __name__ == "__main__":
    main()
