"""The program that test_ranks runs: the coordinator starts the ranks, every rank does what ``spec["do"]`` names."""

import logging
import os
import signal
import time
from pathlib import Path
from typing import Any

from r1flow.components.core.errors import ConfigError
from r1flow.components.processes.ranks import Layout, am_rank, run_ranks

FOREVER_S = 600


def main(spec: dict[str, Any]) -> dict[str, Any]:
    place = Path(spec["place"])
    if not am_rank():
        hostfile = Path(spec["hostfile"]) if "hostfile" in spec else None
        layout = Layout(2, rendezvous=spec.get("rendezvous"), hostfile=hostfile)
        return run_ranks("tests.faults.rank_acts", spec, work=place, layout=layout)
    rank = int(os.environ["RANK"])
    (place / f"pid-{rank}.part").write_text(str(os.getpid()))
    (place / f"pid-{rank}.part").rename(place / f"pid-{rank}")
    print(f"rank {rank} does {spec['do']}")
    result: dict[str, Any] = globals()[spec["do"]](spec, rank)
    return result


def wait(spec: dict[str, Any], rank: int) -> dict[str, Any]:
    """Rank 0 is deaf to SIGTERM, as a rank inside a collective may be."""
    if rank == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(FOREVER_S)
    return {}


def wrong_setting(spec: dict[str, Any], rank: int) -> dict[str, Any]:
    if rank == 1:
        raise ConfigError("dev2.steps: must be positive")
    return wait(spec, rank)


def vanish(spec: dict[str, Any], rank: int) -> dict[str, Any]:
    """Rank 1 is killed while rank 0 waits for it in a collective, or fails by itself a little later."""
    from r1flow.components.training.engines import ranks

    with ranks.join("cpu", 60):
        ranks.barrier()
        if rank == 1:
            logging.getLogger("act").info("the card has fallen off the bus")
            os.kill(os.getpid(), signal.SIGKILL)
        ranks.barrier()
    return {}


def stall(spec: dict[str, Any], rank: int) -> dict[str, Any]:
    """Rank 1 never comes to a collective."""
    import torch.distributed as dist

    from r1flow.components.training.engines import ranks

    with ranks.join("cpu", 60):
        other = dist.new_group([0, 1])
        ranks.bound_groups(1.0)
        if rank == 1:
            time.sleep(FOREVER_S)
        dist.barrier(other if spec["of"] == "other" else None)
    return {}


def talk(spec: dict[str, Any], rank: int) -> dict[str, Any]:
    """Collectives over plain values, and what the environment says."""
    import psutil

    from r1flow.components.training.engines import ranks

    with ranks.join("cpu", 60) as device:
        open_to_all = [c.laddr.ip for c in psutil.Process().net_connections("tcp") if c.status == "LISTEN"]
        return {
            "rank": ranks.rank(),
            "world": ranks.world_size(),
            "device": str(device),
            "sum": ranks.add_up({"a": 0.1 + rank, "b": 1.0}),
            "largest": ranks.largest({"a": float(rank), "b": float("nan") if rank else 0.0}),
            "gathered": ranks.gather({"rank": rank, "long": "x" * (rank * 1000), "exact": [0.1 + 0.2, (1, 2)]}),
            "listens": sorted(set(open_to_all)),
        }
