import os
import signal
import threading
import time
from pathlib import Path

import pytest

from r1flow.components.core.errors import DataError, R1Error
from r1flow.components.data.curation.pool import map_shards
from tests.processes import children, kill, told, wait_until


def square(number: int) -> int:
    return number * number


def slow(marker: tuple[str, int]) -> int:
    Path(marker[0], f"{marker[1]}").touch()
    time.sleep(0.05)
    return marker[1]


def suicide(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def refuse(number: int) -> int:
    raise DataError(f"row {number}: no")


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_results_come_in_the_order_of_the_tasks(workers: int) -> None:
    assert list(map_shards(square, range(20), workers)) == [number * number for number in range(20)]


def test_a_killed_worker_is_replaced_and_its_task_done_again(tmp_path: Path) -> None:
    def kill_a_worker() -> None:
        wait_until(lambda: list(tmp_path.iterdir()))
        lines = told(children(), lambda process: " ".join(process.cmdline()))
        kill([next(process.pid for process, line in lines.items() if "spawn_main" in line)])

    killer = threading.Thread(target=kill_a_worker)
    killer.start()
    assert list(map_shards(slow, [(str(tmp_path), number) for number in range(30)], 2)) == list(range(30))
    killer.join()


def test_a_task_that_kills_every_worker_is_named() -> None:
    with pytest.raises(R1Error, match=r"died in a row over 3\b"):
        list(map_shards(suicide, range(6), 2))


def test_what_a_task_raises_is_raised() -> None:
    with pytest.raises(DataError, match="row 0: no"):
        list(map_shards(refuse, range(4), 2))
