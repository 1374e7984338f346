"""A process that keeps sandboxes running in threads, to be killed: ``python -m tests.faults.sandbox_caller THREADS SECONDS``.

Every program lives for SECONDS. Prints a line when the first program has ended or, for long ones, is about to start.
"""

import sys
import threading

from r1flow.components.processes.sandbox import interpreters
from r1flow.components.processes.sandbox.base import Limits, Program
from r1flow.components.processes.sandbox.choose import open_sandbox
from tests.faults.sandbox_attacks import own_users


def main() -> None:
    threads, seconds = int(sys.argv[1]), float(sys.argv[2])
    source = f"import os, time\nos.setsid() if os.fork() == 0 else None\ntime.sleep({seconds})\n"
    program = Program(
        [*interpreters.python(), "main.py"], {"main.py": source.encode()}, limits=Limits(wall_seconds=120.0)
    )

    def keep() -> None:
        while True:
            sandbox.run(program)

    with own_users():
        sandbox = open_sandbox()
        workers = [threading.Thread(target=keep) for _ in range(threads)]
        for worker in workers:
            worker.start()
        print("running", flush=True)
        for worker in workers:
            worker.join()


if __name__ == "__main__":
    main()
