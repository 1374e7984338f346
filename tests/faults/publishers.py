"""Publishers that are killed at random moments, one after another, until there are as many artifacts as were asked for.

    python -m tests.faults.publishers STORE FOLDER COUNT

Prints how many were killed. Forked from one process: to import a store takes longer than to publish.
"""

import hashlib
import os
import random
import signal
import sys
import time
from pathlib import Path

from r1flow.components.store.artifact import find, publish
from r1flow.components.store.objects import open_store


def publish_from(uri: str, folder: Path, first: int, last: int) -> None:
    """Artifacts ``first`` to ``last``, three files each; one that lies there is passed over."""
    store = open_store(uri)
    for number in range(first, last + 1):
        fingerprint = hashlib.sha256(str(number).encode()).hexdigest()
        if find(store, "model", fingerprint) is not None:
            continue
        work = folder / str(number)
        work.mkdir(exist_ok=True)
        for part in range(3):
            (work / f"{part}.bin").write_bytes(random.Random(3 * number + part).randbytes(50_000))
        publish(
            store,
            work,
            kind="model",
            fingerprint=fingerprint,
            version="1",
            config={},
            inputs={},
            seed=0,
            metrics={},
            provenance={},
        )


def main(uri: str, folder: Path, count: int) -> None:
    chance, killed = random.Random(8), 0
    while True:
        child = os.fork()
        if child == 0:
            publish_from(uri, folder, 1, count)
            os._exit(0)
        time.sleep(chance.uniform(0.01, 0.2))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if status == 0:
            print(killed)
            return
        killed += 1


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
