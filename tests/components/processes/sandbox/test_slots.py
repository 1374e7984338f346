"""User ids: one holder each, among threads and processes, and free when a holder dies."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from r1flow.components.processes.sandbox import slots
from tests.runs import ROOT

pytestmark = pytest.mark.skipif(not slots.usable(), reason="user ids per sandbox need root")
HOLDER = """
import sys, time
from pathlib import Path
from r1flow.components.processes.sandbox import slots
slots._DIRECTORIES, slots.COUNT = (Path(sys.argv[1]),), 4
held = slots.Slots()
print(*[held.take() for _ in range(int(sys.argv[2]))], flush=True)
time.sleep(60)
"""


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> slots.Slots:
    """Four slots of this test's own."""
    monkeypatch.setattr(slots, "_DIRECTORIES", (tmp_path,))
    monkeypatch.setattr(slots, "COUNT", 4)
    return slots.Slots()


def hold(directory: Path, count: int) -> tuple[subprocess.Popen[str], set[int]]:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(directory), str(count)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    return holder, set(map(int, holder.stdout.readline().split()))


def test_threads_get_different_ids_until_none_is_left(few: slots.Slots) -> None:
    with ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(lambda _: few.take(), range(4)))
    assert sorted(taken) == [slots.FIRST_UID + i for i in range(4)]
    with pytest.raises(BlockingIOError, match="all 4 sandbox slots"):
        few.take()
    few.give_back(taken[2])
    assert few.take() == taken[2]


def test_processes_get_different_ids_and_a_killed_holder_frees_its_own(few: slots.Slots, tmp_path: Path) -> None:
    holder, theirs = hold(tmp_path, 3)
    ours = few.take()
    assert theirs | {ours} == {slots.FIRST_UID + i for i in range(4)}
    with pytest.raises(BlockingIOError):
        few.take()
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    assert {few.take() for _ in range(3)} == theirs


def test_a_child_by_fork_neither_holds_nor_frees_what_its_parent_took(few: slots.Slots, tmp_path: Path) -> None:
    ours = {few.take(), few.take()}
    child = os.fork()
    if child == 0:
        found = {few.take(), few.take()}
        os._exit(0 if not found & ours else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    holder, theirs = hold(tmp_path, 2)
    holder.kill()
    holder.communicate()
    assert not theirs & ours


def test_an_id_whose_sandbox_would_not_die_stays_taken(few: slots.Slots) -> None:
    lost = few.take()
    few.give_back(lost, clean=False)
    assert lost not in {few.take() for _ in range(3)}


def test_an_id_that_belongs_to_somebody_is_left_alone(few: slots.Slots, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots, "FIRST_UID", 0)  # root, daemon, bin and sys on every Debian
    with pytest.raises(BlockingIOError):
        few.take()


def test_a_lock_file_of_somebody_else_is_refused(few: slots.Slots, tmp_path: Path) -> None:
    os.chown(tmp_path / slots.LOCKS, 12345, 12345)
    with pytest.raises(PermissionError, match="not a private file"):
        slots.Slots()
    (tmp_path / slots.LOCKS).unlink()
    (tmp_path / slots.LOCKS).symlink_to("/etc/passwd")
    with pytest.raises(OSError, match=slots.LOCKS):
        slots.Slots()
