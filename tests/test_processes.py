"""The tests' own look at processes: none of a process's ends makes it fail, and none passes for life."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import pytest

from tests.docs import text_files
from tests.processes import (
    alive,
    children,
    descendants,
    family,
    kill,
    lives,
    survivors,
    told,
    wait_until,
    with_variable,
)

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]
PARENT = [sys.executable, "-c", f"import subprocess; print(subprocess.Popen({SLEEP!r}).pid, flush=True); input()"]


@contextmanager
def started(command: list[str], **rest: Any) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(command, text=True, **rest)
    try:
        yield process
    finally:
        process.kill()
        process.wait(30)


def zombie(process: "subprocess.Popen[str]") -> psutil.Process:
    """What is left of it once it is killed and nobody has waited for it."""
    seen = psutil.Process(process.pid)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert seen.status() == psutil.STATUS_ZOMBIE
    return seen


def test_a_running_process_lives_a_zombie_and_one_that_was_waited_for_do_not() -> None:
    with started(SLEEP) as process:
        seen = psutil.Process(process.pid)
        assert alive([process.pid, os.getpid()]) == [process.pid, os.getpid()]
        assert [one.pid for one in children()].count(process.pid) == 1
        assert zombie(process) == seen
        assert (alive([process.pid]), lives(seen), told([seen], lambda one: one.pid)) == ([], False, {})
        assert process.pid not in [one.pid for one in (*children(), *descendants())]
    assert (alive([process.pid]), lives(seen), told([seen], lambda one: one.cmdline())) == ([], False, {})
    kill([process.pid])


def test_a_process_that_ends_between_two_looks_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """psutil finds it, and when it is asked for its state it is no more."""
    with started(SLEEP) as process:
        seen = psutil.Process(process.pid)
    monkeypatch.setattr(psutil.Process, "is_running", lambda _: True)
    assert not lives(seen)
    monkeypatch.setattr(psutil, "Process", lambda pid: seen)
    assert alive([process.pid]) == []
    assert children(process.pid) == []
    assert descendants(process.pid) == []


def test_a_process_with_the_pid_of_an_earlier_one_is_not_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with started(SLEEP) as process:
        seen = psutil.Process(process.pid)
        monkeypatch.setattr(seen, "_ident", (seen.pid, 1.0))
        assert not lives(seen)
        assert lives(process.pid)


def test_descendants_are_all_generations_and_outlive_their_parent() -> None:
    with started(PARENT, stdout=subprocess.PIPE, stdin=subprocess.PIPE) as process:
        assert process.stdout is not None
        grandchild = int(process.stdout.readline())
        assert [one.pid for one in children(process.pid)] == [grandchild]
        found = descendants()
        assert {process.pid, grandchild} <= {one.pid for one in found}
        assert [one.pid for one in family(process.pid)] == [process.pid, grandchild]
        assert [one.pid for one in descendants(process.pid)] == [grandchild]
    assert descendants(process.pid) == family(process.pid) == []
    assert [one.pid for one in survivors(found, 0) if one.pid in (process.pid, grandchild)] == [grandchild]
    kill([grandchild])
    assert survivors([one for one in found if one.pid == grandchild], 30) == []


def test_a_process_is_found_by_what_it_has_inherited() -> None:
    mark = f"{os.getpid()}-{time.monotonic_ns()}"
    with started(SLEEP, env={**os.environ, "R1_TEST_MARK": mark}) as process:
        # between fork and exec it still has this process's environment
        wait_until(lambda: with_variable("R1_TEST_MARK", mark), 30)
        assert {one.pid: line for one, line in with_variable("R1_TEST_MARK", mark).items()} == {process.pid: SLEEP}
        zombie(process)
        assert with_variable("R1_TEST_MARK", mark) == {}


def test_a_wait_says_what_did_not_come() -> None:
    looks = iter([False, False, True])
    wait_until(lambda: next(looks))
    with pytest.raises(AssertionError, match=r"^the moon"):
        wait_until(lambda: False, 0, "the moon")


def test_no_other_test_and_no_benchmark_asks_psutil_itself_who_lives() -> None:
    asks = re.compile(r"\bpid_exists\(|\bSTATUS_ZOMBIE\b|\bwait_procs\(|\.is_running\(|\bos\.kill\([^,()]*, 0\)")
    own = ("tests/processes.py", "tests/test_processes.py")
    files = {n: t for n, t in text_files().items() if n.startswith(("tests/", "benchmarks/")) and n not in own}
    assert {name: found for name, text in files.items() if (found := asks.findall(text))} == {}
