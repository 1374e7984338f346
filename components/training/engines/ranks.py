"""Several processes as one trainer: who am I, small collectives over plain values, and who takes which micro-batch.

Alone (no process group) every function here is the identity, so that callers need no second path. Values travel as
float64 or as JSON bytes, never pickled. Every collective has the time-out that :func:`join` was given.
"""

import json
import math
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed import Store, TCPStore  # type: ignore[attr-defined]
from torch.distributed.rendezvous import rendezvous

from r1flow.components.core.batching import micro_batches
from r1flow.components.core.errors import ConfigError

LISTENER = "R1_MASTER_FD"  # set by launch.ranks
"""Names rank 0's inherited socket, already bound to the loopback address and MASTER_PORT (r1flow.components.processes.ranks)."""


def rank() -> int:
    """This process's number, from 0; rank 0 writes."""
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    """How many ranks train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


@contextmanager
def join(device: str, timeout_s: float = 600.0) -> Iterator[torch.device]:
    """Be one of the launcher's ranks for the length of a with-block; yields this rank's device.

    Reads RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT as torchrun sets them; without RANK the process stays
    alone. gloo on "cpu", NCCL on "cuda". ``timeout_s`` bounds every collective of every group. Raises
    :class:`ConfigError` where a rank has no GPU of its own.
    """
    local = int(os.environ.get("LOCAL_RANK", "0"))
    place = torch.device("cuda", local) if device == "cuda" else torch.device(device)
    if "RANK" not in os.environ:
        yield place
        return
    if place.type == "cuda":
        if local >= torch.cuda.device_count():
            raise ConfigError(
                f"engine.ranks: rank {local} of this machine needs a GPU, {torch.cuda.device_count()} are here"
            )
        torch.cuda.set_device(place)
    dist.init_process_group(
        "nccl" if place.type == "cuda" else "gloo",
        store=_store(timeout_s),
        rank=int(os.environ["RANK"]),
        world_size=int(os.environ["WORLD_SIZE"]),
        timeout=timedelta(seconds=timeout_s),
    )
    try:
        yield place
        barrier()  # nobody takes the store and the connections away while another still needs them
    finally:
        dist.destroy_process_group()


def _store(timeout_s: float) -> Store:
    """Where the ranks find each other: the inherited loopback socket's port, or the launcher's rendezvous."""
    timeout = timedelta(seconds=timeout_s)
    if LISTENER not in os.environ:
        store, _, _ = next(rendezvous("env://", timeout=timeout))
        return store
    first = os.environ["RANK"] == "0"
    listener = socket.socket(fileno=int(os.environ[LISTENER])) if first else None
    return TCPStore(
        os.environ["MASTER_ADDR"],
        int(os.environ["MASTER_PORT"]),
        int(os.environ["WORLD_SIZE"]),
        is_master=first,
        timeout=timeout,
        master_listen_fd=listener.detach() if listener else None,
    )


def bound_groups(timeout_s: float) -> None:
    """Give every process group there is this time-out; ``new_group`` forgets the default group's (30 minutes)."""
    from torch.distributed.distributed_c10d import _set_pg_timeout, _world

    for group in list(_world.pg_map):
        _set_pg_timeout(timedelta(seconds=timeout_s), group)


def barrier() -> None:
    """Return when every rank has come here."""
    add_up({"": 0.0})


def add_up(values: Mapping[str, float]) -> dict[str, float]:
    """The sum over ranks under every name, in float64, the same bits on every rank. All ranks give the same names."""
    return _reduced(values, dist.ReduceOp.SUM)


def largest(values: Mapping[str, float]) -> dict[str, float]:
    """The maximum over ranks under every name; a NaN anywhere counts as infinity, since a maximum would pass over it."""
    return _reduced({k: math.inf if math.isnan(v) else v for k, v in values.items()}, dist.ReduceOp.MAX)


def _reduced(values: Mapping[str, float], operation: Any) -> dict[str, float]:
    if world_size() == 1:
        return dict(values)
    tensor = torch.tensor([values[name] for name in sorted(values)], dtype=torch.float64, device=_device())
    dist.all_reduce(tensor, operation)
    return dict(zip(sorted(values), tensor.tolist(), strict=True)) if values else {}


def gather(value: Any) -> list[Any]:
    """Every rank's ``value`` (JSON: numbers keep all their bits, tuples come back as lists), in the order of ranks."""
    if world_size() == 1:
        return [json.loads(json.dumps(value))]
    mine = torch.frombuffer(bytearray(json.dumps(value).encode()), dtype=torch.uint8).to(_device())
    sizes = [torch.zeros(1, dtype=torch.long, device=_device()) for _ in range(world_size())]
    dist.all_gather(sizes, torch.tensor([mine.numel()], device=_device()))
    longest = max(int(size) for size in sizes)
    rows = [torch.zeros(longest, dtype=torch.uint8, device=_device()) for _ in sizes]
    dist.all_gather(rows, torch.nn.functional.pad(mine, (0, longest - mine.numel())))
    return [json.loads(bytes(row[: int(n)].tolist())) for row, n in zip(rows, sizes, strict=True)]


def _device() -> torch.device:
    """Where the backend wants its tensors."""
    return torch.device("cuda", torch.cuda.current_device()) if dist.get_backend() == "nccl" else torch.device("cpu")


@dataclass(frozen=True)
class Turn:
    """One micro-batch of one rank: indices of rows, and whether it ``counts``. One that does not is a filler: it is run
    with its loss times 0, because under ZeRO 2 and 3 a backward pass is a collective and every rank has to take part."""

    rows: tuple[int, ...]
    counts: bool = True

    def weigh(self, loss: Tensor) -> Tensor:
        """``loss``, or ``loss`` times 0 for a filler: the same graph, a gradient of zeros."""
        return loss if self.counts else loss * 0.0


def turns(lengths: Sequence[int], micro_tokens: int, *, rank: int, world: int) -> list[Turn]:
    """The micro-batches of ``rank``: as many on every rank, each of at most ``micro_tokens`` padded tokens.

    Every rank calls this with the whole batch's ``lengths`` and gets its part without communication. The number of
    rounds is what the fewest micro-batches need; then the token budget is lowered as far as that number allows, which
    balances tokens over ranks and rounds. A rank without a micro-batch in some round repeats the shortest row as filler.

    On one rank it is :func:`r1flow.components.core.batching.micro_batches` unchanged.

    >>> [[(t.rows, t.counts) for t in turns([5, 4, 5], 5, rank=r, world=2)] for r in (0, 1)]
    [[((0,), True), ((1,), True)], [((2,), True), ((1,), False)]]
    """
    groups = micro_batches(lengths, micro_tokens)
    if world == 1 or not groups:
        return [Turn(tuple(group)) for group in groups]
    rounds = math.ceil(len(groups) / world)
    groups = micro_batches(lengths, _least_budget(lengths, micro_tokens, rounds * world))
    groups.sort(key=lambda group: -len(group) * max(lengths[i] for i in group))
    shortest = min(range(len(lengths)), key=lambda i: (lengths[i], i))
    mine = [Turn(tuple(group)) for group in groups[rank::world]]
    return mine + [Turn((shortest,), counts=False)] * (rounds - len(mine))


def _least_budget(lengths: Sequence[int], enough: int, most_groups: int) -> int:
    """The smallest token budget that makes at most ``most_groups`` micro-batches; ``enough`` is one that does."""
    low, high = 1, enough
    while low < high:
        middle = (low + high) // 2
        if len(micro_batches(lengths, middle)) <= most_groups:
            high = middle
        else:
            low = middle + 1
    return low
