"""Programs in real sandboxes: what goes in, what comes out, how they end. Both kinds give the same."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from r1flow.components.processes.sandbox import interpreters, slots
from r1flow.components.processes.sandbox.base import End, Limits, MiB, Outcome, Program, Sandbox
from r1flow.components.processes.sandbox.bubblewrap import Bubblewrap
from r1flow.components.processes.sandbox.choose import open_sandbox
from r1flow.components.processes.sandbox.rlimits import ResourceLimits
from tests.conftest import need_program
from tests.runs import ROOT

Run = Callable[..., Outcome]
USUAL = Limits()


@pytest.fixture(scope="module", params=["bubblewrap", "rlimits"])
def sandbox(request: pytest.FixtureRequest) -> Sandbox:
    if request.param == "rlimits":
        return ResourceLimits(slots.Slots() if slots.usable() else None)
    need_program("bwrap")
    return open_sandbox()


@pytest.fixture
def run(sandbox: Sandbox) -> Run:
    def python(source: str, stdin: bytes = b"", limits: Limits = USUAL, **files: bytes) -> Outcome:
        argv = [*interpreters.python(), "main.py"]
        return sandbox.run(Program(argv, {"main.py": source.encode(), **files}, stdin, limits))

    return python


def connected(sandbox: Sandbox, judge: str, candidate: str, limits: Limits = USUAL) -> tuple[Outcome, Outcome]:
    programs = [Program([*interpreters.python(), "-c", source], limits=limits) for source in (judge, candidate)]
    return sandbox.run_connected(*programs)


def test_every_channel_carries_what_was_written(run: Run) -> None:
    outcome = run(
        "import os, sys\nprint(sys.stdin.read())\nprint('bad', file=sys.stderr)\nos.write(5, b'verdict')\nsys.exit(3)",
        stdin=b"given",
    )
    assert (outcome.end, outcome.returncode, outcome.detail) == (End.EXITED, 3, "")
    assert (outcome.stdout, outcome.stderr, outcome.report) == (b"given\n", b"bad\n", b"verdict")
    assert 0 < outcome.seconds < 10


def test_files_lie_in_the_working_directory_and_can_be_changed(sandbox: Sandbox) -> None:
    script = "cat a/b.txt && echo more >> a/b.txt && wc -l < a/b.txt && ls"
    outcome = sandbox.run(Program(["/bin/bash", "-c", script], {"a/b.txt": b"one\n", "c": b""}))
    assert outcome.stdout == b"one\n2\na\nc\n"


def test_megabytes_come_in_whatever_the_scratch_space(run: Run) -> None:
    big = os.urandom(12 * MiB)
    limits = Limits(scratch_bytes=MiB, wall_seconds=30)
    source = "import sys\nprint(len(open('big', 'rb').read()), len(sys.stdin.buffer.read()))"
    assert run(source, big, limits, big=big).stdout == f"{12 * MiB} {12 * MiB}\n".encode()


def test_a_signal_is_a_negative_code(run: Run) -> None:
    outcome = run("import os\nos.kill(os.getpid(), 11)")
    assert (outcome.end, outcome.returncode) == (End.EXITED, -signal.SIGSEGV)


def test_the_wall_clock_ends_a_program_and_keeps_what_it_said(run: Run) -> None:
    outcome = run("import time\nprint('begun', flush=True)\ntime.sleep(60)", limits=Limits(wall_seconds=0.5))
    assert (outcome.end, outcome.returncode, outcome.stdout) == (End.TIMEOUT, None, b"begun\n")


def test_processor_time_is_limited(run: Run) -> None:
    outcome = run("while True: pass", limits=Limits(cpu_seconds=1, wall_seconds=30))
    assert (outcome.end, outcome.returncode) == (End.TIMEOUT, -signal.SIGXCPU)


def test_memory_that_runs_out_is_named(run: Run) -> None:
    outcome = run("bytearray(1 << 30)")
    assert (outcome.end, outcome.returncode) == (End.MEMORY, 1)
    assert run("print('MemoryError')").end is End.EXITED
    assert run("try:\n bytearray(1 << 30)\nexcept MemoryError:\n print('caught')").stdout == b"caught\n"


def test_a_kill_that_is_not_ours_counts_as_memory(run: Run) -> None:
    outcome = run("import os\nos.kill(os.getpid(), 9)")
    assert (outcome.end, outcome.returncode) == (End.MEMORY, -signal.SIGKILL)


@pytest.mark.parametrize("channel", [1, 2, 5])
def test_too_much_output_ends_a_program(run: Run, channel: int) -> None:
    outcome = run(f"import os\nwhile True: os.write({channel}, b'x' * 999)", limits=Limits(output_bytes=5000))
    assert (outcome.end, outcome.returncode, outcome.truncated) == (End.EXITED, None, True)
    assert {1: outcome.stdout, 2: outcome.stderr, 5: outcome.report}[channel] == b"x" * 5000


def test_output_up_to_the_limit_is_whole(run: Run) -> None:
    outcome = run("print('x' * 199_999)", limits=Limits(output_bytes=200_000))
    assert (outcome.returncode, len(outcome.stdout), outcome.truncated) == (0, 200_000, False)


def test_an_unknown_program_is_its_own_fault(sandbox: Sandbox) -> None:
    outcome = sandbox.run(Program(["/usr/bin/there-is-none"]))
    assert (outcome.end, outcome.returncode) == (End.EXITED, 127)


@pytest.mark.parametrize("argv", [[], ["a\0b"], ["/bin/echo", "x" * 70_000]])
def test_a_command_line_that_cannot_run_is_refused(sandbox: Sandbox, argv: list[str]) -> None:
    with pytest.raises(ValueError, match=r"Program\.argv"):
        sandbox.run(Program(argv))


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../up", "a/../../b", "a//b", "./a", "a\0b", "a/"])
def test_a_file_name_that_leads_elsewhere_is_refused(sandbox: Sandbox, name: str) -> None:
    with pytest.raises(ValueError, match=r"Program\.files"):
        sandbox.run(Program(["/bin/true"], {name: b""}))


@pytest.mark.parametrize(
    "limits",
    [
        {"cpu_seconds": 0},
        {"cpu_seconds": 1.5},
        {"memory_bytes": 1000},
        {"wall_seconds": 0},
        {"wall_seconds": float("nan")},
    ],
)
def test_limits_that_nothing_could_run_under_are_refused(sandbox: Sandbox, limits: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=rf"Limits\.{next(iter(limits))}"):
        sandbox.run(Program(["/bin/true"], limits=Limits(**limits)))


def test_limits_beyond_the_callers_own_are_cut_to_them() -> None:
    need_program("bwrap")
    source = (
        "import resource\n"
        "for kind, most in ((resource.RLIMIT_AS, 2 << 30), (resource.RLIMIT_CPU, 30), (resource.RLIMIT_NOFILE, 200)):\n"
        "    resource.setrlimit(kind, (most, most))\n"
        "from r1flow.components.processes.sandbox.base import Limits, Program\n"
        "from r1flow.components.processes.sandbox.choose import open_sandbox\n"
        "limits = Limits(address_bytes=64 << 30, cpu_seconds=600, open_files=1000)\n"
        "print(open_sandbox().run(Program(['/bin/bash', '-c', 'ulimit -v; ulimit -t; ulimit -n'], limits=limits)).stdout)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", source], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "b'2097152\\n30\\n200\\n'\n"


def test_judge_and_candidate_talk_over_two_pipes(sandbox: Sandbox) -> None:
    judge, candidate = connected(
        sandbox,
        "import os\nos.write(4, b'ping')\nanswer = os.read(3, 9)\nos.write(5, b'right' if answer == b'ping!' else b'wrong')",
        "import os\nos.write(4, os.read(3, 9) + b'!')",
    )
    assert (judge.end, judge.returncode, judge.report) == (End.EXITED, 0, b"right")
    assert candidate.end is End.EXITED


def test_the_candidate_ends_with_its_judge(sandbox: Sandbox) -> None:
    judge, candidate = connected(sandbox, "pass", "import time\ntime.sleep(60)")
    assert judge.returncode == 0
    assert (candidate.end, candidate.returncode) == (End.EXITED, None)
    assert candidate.seconds < 30


def test_the_judge_sees_the_end_of_its_candidate(sandbox: Sandbox) -> None:
    judge, candidate = connected(
        sandbox, "import os\nos.write(5, b'end' if os.read(3, 9) == b'' else b'data')", "raise SystemExit(7)"
    )
    assert judge.report == b"end"
    assert candidate.returncode in (7, None)  # None: the judge was quicker, and with it the candidate is ended


def test_a_candidate_over_its_clock_leaves_the_judge_running(sandbox: Sandbox) -> None:
    source = "import os\nos.write(5, b'end' if os.read(3, 9) == b'' else b'data')"
    judge = Program([*interpreters.python(), "-c", source])
    candidate = Program(["/bin/sleep", "60"], limits=Limits(wall_seconds=0.4))
    first, second = sandbox.run_connected(judge, candidate)
    assert (first.end, first.report, second.end) == (End.EXITED, b"end", End.TIMEOUT)


def test_a_megabyte_crosses_both_pipes(sandbox: Sandbox) -> None:
    read = "def take(n):\n  b = b''\n  while len(b) < n: b += os.read(3, 65536)\n  return b\n"
    judge, _ = connected(
        sandbox,
        f"import os\n{read}sent = os.urandom(60_000)\nok = True\n"
        "for _ in range(20):\n  os.write(4, sent)\n  ok &= take(60_000) == sent\nos.write(5, str(ok).encode())",
        f"import os\n{read}while True: os.write(4, take(60_000))",
    )
    assert judge.report == b"True"


def test_no_descriptor_stays_open(run: Run, sandbox: Sandbox) -> None:
    run("pass")
    before = set(os.listdir("/proc/self/fd"))
    run("import time\ntime.sleep(9)", limits=Limits(wall_seconds=0.1))
    run("while True: print()", limits=Limits(output_bytes=10))
    connected(sandbox, "pass", "pass")
    assert set(os.listdir("/proc/self/fd")) == before


def test_a_start_that_fails_is_infra_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    need_program("bwrap")
    broken = Bubblewrap(slots.Slots() if slots.usable() else None, None)
    monkeypatch.setattr(broken, "_system", ["--ro-bind", "/there-is-none", "/usr"])
    before = set(os.listdir("/proc/self/fd"))
    outcome = broken.run(Program(["/bin/true"]))
    assert (outcome.end, outcome.returncode, outcome.seconds) == (End.INFRA, None, 0.0)
    assert "there-is-none" in outcome.detail
    both = broken.run_connected(Program(["/bin/true"]), Program(["/bin/true"]))
    assert [each.end for each in both] == [End.INFRA, End.INFRA]
    assert set(os.listdir("/proc/self/fd")) == before


def test_a_start_that_fails_once_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    need_program("bwrap")
    sandbox = Bubblewrap(slots.Slots() if slots.usable() else None, None)
    isolate, failures = sandbox._isolate, [OSError(11, "no processes left")] * 2

    def failing(*arguments: object) -> list[str]:
        if failures:
            raise failures.pop()
        return isolate(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(sandbox, "_isolate", failing)
    assert sandbox.run(Program(["/bin/echo", "here"])).stdout == b"here\n"


@pytest.mark.parametrize(
    ("language", "name", "source"),
    [
        ("c", "main.c", b'#include <stdio.h>\nint main(void) { int n; scanf("%d", &n); printf("%d\\n", n + 1); }'),
        ("c++", "main.cpp", b"#include <iostream>\nint main() { int n; std::cin >> n; std::cout << n + 1 << '\\n'; }"),
    ],
)
def test_compiled_programs_run(sandbox: Sandbox, language: str, name: str, source: bytes) -> None:
    need_program({"c": "gcc", "c++": "g++"}[language])
    build = " ".join([*interpreters.compiler(language), "-O1", "-o", "main", name])
    limits = Limits(wall_seconds=60, cpu_seconds=60)
    outcome = sandbox.run(Program(["/bin/bash", "-c", f"{build} && ./main"], {name: source}, b"41", limits))
    assert outcome.stdout == b"42\n", outcome


def test_javascript_runs_and_its_memory_is_bounded(sandbox: Sandbox) -> None:
    need_program("node")
    limits = Limits(wall_seconds=60, cpu_seconds=60, address_bytes=interpreters.NODE_ADDRESS_BYTES)
    source = b"console.log(1 + Number(require('fs').readFileSync(0)))"
    program = Program([*interpreters.node(), "main.js"], {"main.js": source}, b"41", limits)
    assert sandbox.run(program).stdout == b"42\n"
    hog = b"const kept = []; for (;;) kept.push(Buffer.alloc(1e7, 1))"
    assert sandbox.run(replace(program, files={"main.js": hog})).end is End.MEMORY
