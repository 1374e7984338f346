"""Which runs still live: each holds ``leases/runs/<id>.json`` for as long as its process does."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from r1flow.components.core.errors import LeaseHeldError
from r1flow.components.store.lease import Lease, read_lease
from r1flow.components.store.objects import ObjectStore

FOLDER = "leases"
RUNS = "runs"
FACTS = ("run", "flow_run", "stage")
"""What holders say of themselves besides host, process and expiry."""


@dataclass(frozen=True)
class LeftOver:
    """A lease whose holder is gone: its name, and what its holder had said of itself."""

    name: str
    holder: dict[str, Any]


def run_lease(store: ObjectStore, run: str, flow_run: str = "") -> Lease:
    """To be held while ``run`` lives; ``flow_run`` is its run in Prefect."""
    return Lease(store, f"{RUNS}/{run}", holder={"run": run, "flow_run": flow_run})


def run_tag(run: str) -> str:
    """The tag by which the flow runs of a run are found in Prefect."""
    return f"r1.run:{run}"


def any_run_lives(store: ObjectStore) -> bool:
    """Whether a run that holds its lease is under way anywhere."""
    left = {lease.name for lease in left_over(store, RUNS)}
    return any(_name(key) not in left for key in store.list(f"{FOLDER}/{RUNS}"))


def left_over(store: ObjectStore, folder: str = "") -> Iterator[LeftOver]:
    """Leases (below ``folder``) that have expired, or whose holder ran on this machine and is dead."""
    for key in store.list(f"{FOLDER}/{folder}".rstrip("/")):
        holder, free = read_lease(store, _name(key))
        if holder and free:
            yield LeftOver(_name(key), holder)


@contextmanager
def taken_over(store: ObjectStore, lease: LeftOver) -> Iterator[bool]:
    """Hold the lease while the block tidies after its holder, then remove it; False where somebody lives there after all.

    A block that fails leaves it, with what the dead holder had said: whoever tidies next finds it again.
    """
    own = Lease(store, lease.name, holder={name: lease.holder[name] for name in FACTS if name in lease.holder})
    try:
        own.acquire()
    except LeaseHeldError:
        yield False
        return
    yield True
    own.release()


def _name(key: str) -> str:
    return key.removeprefix(f"{FOLDER}/").removesuffix(".json")
