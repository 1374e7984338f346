"""The order in which processes end."""

import subprocess
import sys
from contextlib import closing

from r1flow.components.processes.deaths import Deaths


def start() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])


def test_processes_that_ended_between_two_looks_come_in_the_order_of_their_ends() -> None:
    processes = [start() for _ in range(4)]
    pids = [process.pid for process in processes]
    with closing(Deaths()) as deaths:
        assert deaths.look(pids) == []
        for place in (2, 0, 3):
            processes[place].kill()
            processes[place].wait()  # its end is before the next one's
        assert deaths.look(pids) == [pids[2], pids[0], pids[3]]
        processes[1].kill()
        processes[1].wait()
        assert deaths.look(pids) == [pids[2], pids[0], pids[3], pids[1]]
        assert deaths.look([]) == [pids[2], pids[0], pids[3], pids[1]]


def test_a_zombie_has_ended_and_so_has_what_was_gone_before() -> None:
    gone, zombie, alive = start(), start(), start()
    try:
        gone.kill()
        gone.wait()
        with closing(Deaths()) as deaths:
            assert deaths.look([gone.pid, zombie.pid, alive.pid]) == [gone.pid]
            zombie.kill()
            while zombie.pid not in deaths.look([]):
                pass
            assert deaths.look([]) == [gone.pid, zombie.pid]
    finally:
        for process in (zombie, alive):
            process.kill()
            process.wait()
