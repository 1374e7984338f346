"""Hostile programs in a real sandbox: each ends within its clock, reaches nothing of the host and leaves nothing."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from r1flow.components.core.tests import CodeTests
from r1flow.components.processes.sandbox import choose, seccomp, slots
from r1flow.components.processes.sandbox.base import End, Limits, MiB, Outcome, Program, Sandbox
from r1flow.components.processes.sandbox.bubblewrap import Bubblewrap
from r1flow.components.processes.sandbox.rlimits import ResourceLimits
from r1flow.components.rewards.code import judge
from tests.conftest import need_program, not_installed
from tests.faults import sandbox_attacks
from tests.faults.sandbox_attacks import ATTACKS, left_behind

ROOT = Path(__file__).resolve().parents[2]
SOON_S = 10.0
TIMEOUTS = {"fork bomb without end", "sleep", "processor", "processor, signal ignored", "closing every channel"}
CUT = {"endless output", "endless errors", "a child floods the report"}
SAID = {
    "fork bomb": "forks: 15",
    "memory, many processes": "forks: 15",
    "shared memory": "mmap: OSError 12",
    "disk fill": "32 MiB, errno 28\n/x: OSError 30\n/usr/x: OSError 30\n/etc/x: OSError 30\n/dev/x: OSError 30\n/proc/x: File",
    "network to loopback": "connect: ConnectionRefusedError 111\noutside: OSError 101",
    "abstract unix socket": "connect: ConnectionRefusedError 111\nbind: None",
    "home directory": "canary: FileNotFoundError 2\nroot: FileNotFoundError 2\nhome: FileNotFoundError 2\nup: ['work']\n"
    "overwrite: FileNotFoundError 2\nthrough init: FileNotFoundError 2\n",
    "environment": "own: ['HOME', 'LANG', 'PATH', 'SHLVL']\n",
    "processes of others": "seen: [1, 2]\nkill: ProcessLookupError 3\n",
    "namespaces and mounts": "unshare user: ",
    "inherited descriptors": "open: [5]\n",
    "a child closes the report": "mine\n",
    "links": "link: None\nread: FileNotFoundError 2\nhard: OSError 18\n",
}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    need_program("bwrap")
    with sandbox_attacks.own_users():
        yield Bubblewrap(slots.Slots() if slots.usable() else None, seccomp.program())


def files_of_sandboxes() -> set[str]:
    """What in /tmp bears the name or the user id of a sandbox."""
    first, last = sandbox_attacks.FIRST_UID, sandbox_attacks.FIRST_UID + sandbox_attacks.COUNT
    found = set()
    for entry in os.scandir("/tmp"):
        try:
            if entry.name.startswith("r1-program") or first <= entry.stat(follow_symlinks=False).st_uid < last:
                found.add(entry.name)
        except FileNotFoundError:  # another program's, gone meanwhile
            continue
    return found


def stays(before: set[str]) -> set[str]:
    """What has come since and is not soon gone; sandboxes of other programs on the machine come and go."""
    new = files_of_sandboxes() - before
    deadline = time.monotonic() + SOON_S
    while new and time.monotonic() < deadline:
        time.sleep(0.02)
        new &= files_of_sandboxes()
    return new


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_ends_as_foreseen_and_the_host_is_as_before(sandbox: Sandbox, name: str) -> None:
    before = files_of_sandboxes()
    with sandbox_attacks.host() as machine:
        outcome = sandbox_attacks.attack(sandbox, name, machine)
    assert machine.reached == []
    assert left_behind() == []
    assert stays(before) == set()
    assert machine.name not in Path("/proc/net/unix").read_text()
    assert machine.secret.encode() not in outcome.stdout + outcome.stderr + outcome.report
    expected = End.TIMEOUT if name in TIMEOUTS else End.MEMORY if name == "memory, one process" else End.EXITED
    assert outcome.end is expected, outcome
    assert outcome.truncated is (name in CUT)
    assert SAID.get(name, "") in outcome.report.decode()
    assert ": True" not in outcome.report.decode()


TASK = CodeTests(assertions="def check(f):\n    assert f(2) == 4\n", entry_point="f", seconds=1.0, total_seconds=2.0)


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize("when", ["loaded", "called"])
def test_a_program_that_attacks_the_machine_earns_nothing(sandbox: Sandbox, name: str, when: str) -> None:
    before = files_of_sandboxes()
    with sandbox_attacks.host() as machine:
        source = f"import os\nos.dup2(2, 5)\n{sandbox_attacks.source_of(name, machine)}"
        loaded, called = (source, "pass") if when == "loaded" else ("", f"exec({source!r}, {{'__file__': __file__}})")
        program = f"{loaded}\ndef f(x):\n    {called}\n"
        score = judge(TASK, f"```python\n{program}\n```", sandbox=sandbox)
    assert score.reward == 0.0, score
    assert machine.reached == []
    assert left_behind() == []
    assert stays(before) == set()


def test_the_filter_refuses_what_namespaces_allow(sandbox: Sandbox) -> None:
    if seccomp.program() is None:
        not_installed("libseccomp.so.2")
    with sandbox_attacks.host() as machine:
        traced = sandbox_attacks.attack(sandbox, "ptrace of process 1", machine).report
        spaces = sandbox_attacks.attack(sandbox, "namespaces and mounts", machine).report.decode()
        sockets = sandbox_attacks.attack(sandbox, "network to loopback", machine).report
        memory = sandbox_attacks.attack(sandbox, "shared memory", machine).report
    assert b"ptrace: PermissionError 1" in traced
    assert b"vsock: PermissionError 1\nnetlink: PermissionError 1" in sockets
    assert b"memfd: PermissionError 1" in memory
    assert [line for line in spaces.splitlines() if not line.endswith("PermissionError 1")] == ["setuid: OSError 22"]


def test_without_the_filter_namespaces_still_hold() -> None:
    need_program("bwrap")
    with sandbox_attacks.own_users(), sandbox_attacks.host() as machine:
        bare = Bubblewrap(slots.Slots() if slots.usable() else None, None)
        said = sandbox_attacks.attack(bare, "namespaces and mounts", machine).report.decode()
        sandbox_attacks.attack(bare, "ptrace of process 1", machine)
        assert left_behind() == []
    refused = [line.split(":")[0] for line in said.splitlines() if "None" not in line]
    assert {"unshare user", "unshare network", "mount", "umount", "chroot", "setuid"} <= set(refused)


def test_attacks_side_by_side_do_not_disturb_an_honest_program(sandbox: Sandbox) -> None:
    honest = Program(["/bin/bash", "-c", "read -r line; (echo child $line)"], stdin=b"one\n")
    names = ["fork bomb", "memory, many processes", "killing process 1", "endless output", "disk fill"]

    def run(number: int) -> Outcome:
        return sandbox.run(honest) if number % 2 else sandbox_attacks.attack(sandbox, names[number // 2 % 5], machine)

    with sandbox_attacks.host() as machine, ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(run, range(20)))
    assert [(each.end, each.stdout) for each in outcomes[1::2]] == [(End.EXITED, b"child one\n")] * 10
    assert machine.reached == []
    assert left_behind() == []


def test_several_processes_with_threads_share_the_machine(sandbox: Sandbox) -> None:
    source = (
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from r1flow.components.processes.sandbox.base import Program\n"
        "from r1flow.components.processes.sandbox.choose import open_sandbox\n"
        "sandbox = open_sandbox()\n"
        "with ThreadPoolExecutor(3) as pool:\n"
        "    print([o.stdout.decode() for o in pool.map(lambda i: sandbox.run(Program(['/bin/echo', str(i)])), range(9))])\n"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", source], cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    expected = str([f"{i}\n" for i in range(9)]) + "\n"
    assert [process.communicate(timeout=60)[0] for process in running] == [expected] * 3


@pytest.mark.parametrize("seconds", [0, 60])
def test_a_killed_caller_takes_its_sandboxes_along(sandbox: Sandbox, seconds: int) -> None:
    if not slots.usable():
        pytest.skip("processes are told by their user id, which needs root")
    for tries in range(3):
        caller = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.sandbox_caller", "3", str(seconds)], cwd=ROOT, stdout=subprocess.PIPE
        )
        assert caller.stdout is not None
        caller.stdout.readline()
        time.sleep(0.05 + 0.1 * tries)
        caller.kill()
        caller.wait()
        deadline = time.monotonic() + SOON_S
        while left_behind() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert left_behind() == []


def test_what_a_killed_start_leaves_is_swept(sandbox: Sandbox) -> None:
    if not slots.usable():
        pytest.skip("processes are told by their user id, which needs root")
    ours = slots.Slots()
    uid = ours.take()
    stray = subprocess.Popen(
        [*slots.become(uid), "--", "bash", "-c", "echo -n bwrap > /proc/$$/comm; echo; read"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert stray.stdout is not None
    stray.stdout.readline()
    assert ours.sweep() == 0
    ours.give_back(uid)
    assert ours.sweep() == 1
    assert stray.wait(SOON_S) == -9
    stray.communicate()


def test_the_fallback_ends_programs_and_cleans_up() -> None:
    with sandbox_attacks.own_users(), sandbox_attacks.host() as machine:
        fallback = ResourceLimits(slots.Slots() if slots.usable() else None)
        before = files_of_sandboxes()
        limits = Limits(wall_seconds=2.0, memory_bytes=64 * MiB)
        ends = {
            name: sandbox_attacks.attack(fallback, name, machine, limits).end
            for name in ("sleep", "endless output", "grandchild in its own session holds stdout", "memory, one process")
        }
        assert list(ends.values()) == [End.TIMEOUT, End.EXITED, End.EXITED, End.MEMORY]
        assert stays(before) == set()
        assert left_behind() == []


def test_a_caller_that_is_no_root_has_the_same_walls(tmp_path: Path) -> None:
    need_program("bwrap")
    if not slots.usable():
        pytest.skip("the other tests ran without root already")
    python = need_program("/usr/bin/python3")
    readable = subprocess.run(
        [
            *slots.become(sandbox_attacks.FIRST_UID + 100),
            "--",
            python,
            "-c",
            "import r1flow.components.processes.sandbox.choose",
        ],
        cwd="/",
        env={"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        check=False,
    )
    if readable.returncode:
        pytest.skip(f"other users cannot import from {ROOT}: {readable.stderr[-200:].decode()}")
    source = (
        "from r1flow.components.processes.sandbox.choose import describe, open_sandbox\n"
        "from tests.faults import sandbox_attacks as a\n"
        "host = a.Host(1, 'none', __import__('pathlib').Path('/', 'root', '.bashrc'), 1, '', [])\n"
        "for name in ('fork bomb', 'processes of others', 'home directory'):\n"
        "    print(a.attack(open_sandbox(), name, host).report.decode())\n"
        "assert not describe().uid_per_slot\n"
    )
    done = subprocess.run(
        [*slots.become(sandbox_attacks.FIRST_UID + 100), "--", python, "-c", source],
        cwd="/",
        env={"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("forks: 15\n\nseen: [1, 2]\n")
    assert choose.SETTING not in os.environ
