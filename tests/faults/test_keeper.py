"""The keeper against real processes: whatever ends a program or its flow, the outcome is named and nothing survives."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from r1flow.components.core.errors import ConfigError, DataError, StageFailed, StoreUnavailable
from r1flow.components.processes.keeper import run_program
from r1flow.components.processes.preload import ForkServer
from tests.processes import alive, children, descendants, kill, survivors, wait_until

ACTS = "tests.faults.acts"
ROOT = Path(__file__).resolve().parents[2]
SOON_S = 3.0


@pytest.fixture(scope="module")
def fork_server() -> Iterator[ForkServer]:
    with closing(ForkServer.start(["decimal"])) as server:
        yield server


@pytest.fixture(params=["forked", "plain"])
def server(request: pytest.FixtureRequest, fork_server: ForkServer) -> ForkServer | None:
    return fork_server if request.param == "forked" else None


def run(work: Path, server: ForkServer | None, do: str, **rest: Any) -> dict[str, Any]:
    """Run one act; keyword arguments of ``run_program`` are told from the spec's by name."""
    names = ("timeout_s", "poll", "cancelled")
    keeper = {"timeout_s": 60.0} | {name: rest.pop(name) for name in names if name in rest}
    return run_program(ACTS, {"do": do, **rest}, work=work, server=server, poll_every_s=0.05, **keeper)


def everyone(pids: Path) -> list[int]:
    told = json.loads(pids.read_text())
    return [told["program"], told["warden"], *told["others"]]


def test_a_program_gives_back_its_metrics_and_sees_the_callers_environment(
    tmp_path: Path, server: ForkServer | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("R1_PROBE", "set after the server started")
    monkeypatch.chdir(tmp_path)
    metrics = run(tmp_path / "work", server, "answer", number=21)
    assert metrics.pop("pid") != os.getpid()
    assert metrics == {"double": 42, "env": "set after the server started", "cwd": str(tmp_path)}
    log = (tmp_path / "work" / "log.txt").read_text()
    assert "printed\n" in log
    assert "INFO act: logged\n" in log
    assert "from a shell\n" in log


def test_the_import_settings_of_the_server_do_not_reach_a_program(tmp_path: Path, fork_server: ForkServer) -> None:
    assert set(run(tmp_path, fork_server, "blas_variable").values()) <= {os.environ.get("OPENBLAS_NUM_THREADS"), None}


@pytest.mark.parametrize(("name", "expected"), [("ConfigError", ConfigError), ("DataError", DataError)])
def test_a_user_error_is_raised_again_by_its_class(
    tmp_path: Path, fork_server: ForkServer, name: str, expected: type[Exception]
) -> None:
    with pytest.raises(expected, match=r"^dev2.steps: must be positive$") as caught:
        run(tmp_path, fork_server, "user_error", **{"class": name})
    assert type(caught.value) is expected


def test_a_store_that_a_program_cannot_reach_is_one_that_its_stage_cannot_reach(
    tmp_path: Path, fork_server: ForkServer
) -> None:
    with pytest.raises(
        StoreUnavailable, match=r"^tests\.faults\.acts: cannot write s3://bucket/k: nobody answers\nlast lines"
    ):
        run(tmp_path, fork_server, "no_store")


def test_another_error_carries_its_message_and_the_end_of_the_log(tmp_path: Path, server: ForkServer | None) -> None:
    with pytest.raises(StageFailed) as caught:
        run(tmp_path, server, "ordinary_error")
    text = str(caught.value)
    assert text.startswith(f"{ACTS} failed with RuntimeError: the matrix is singular\n")
    assert str(tmp_path / "log.txt") in text
    assert "line 99" in text
    assert "line 50\n" not in text


@pytest.mark.parametrize(
    ("do", "says"),
    [
        ("leave", "failed with SystemExit: 0"),
        ("vanish", "ended with exit code 3 and without a result"),
        ("not_json", "not JSON serializable"),
        ("no_such_act", "failed with KeyError"),
    ],
)
def test_every_way_to_end_without_a_result_is_a_failure(
    tmp_path: Path, fork_server: ForkServer, do: str, says: str
) -> None:
    with pytest.raises(StageFailed, match=says):
        run(tmp_path, fork_server, do)


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGKILL"])
def test_a_crash_names_the_signal_and_shows_the_log(tmp_path: Path, server: ForkServer | None, name: str) -> None:
    with pytest.raises(StageFailed, match=f"was killed by {name} at a peak of") as caught:
        run(tmp_path, server, "crash", signal=name)
    assert "about to crash" in str(caught.value)
    assert ("out of memory" in str(caught.value)) == (name == "SIGKILL")


def test_an_earlier_result_does_not_stand_in_for_a_failure_and_the_log_goes_on(
    tmp_path: Path, fork_server: ForkServer
) -> None:
    run(tmp_path, fork_server, "answer", number=1)
    with pytest.raises(StageFailed) as caught:
        run(tmp_path, fork_server, "vanish")
    log = (tmp_path / "log.txt").read_text()
    assert log.count(f"--- {ACTS}, ") == 2
    assert log.index("printed") < log.index("about to vanish")
    assert "printed" not in str(caught.value)


def test_a_name_outside_the_programs_is_refused(tmp_path: Path) -> None:
    for name in (
        "os",
        "r1flow.components.programs",
        "r1flow.components.programs.x;y",
        "r1flow.components.core.errors",
        "..tests.x",
    ):
        with pytest.raises(ValueError, match="is no program"):
            run_program(name, {}, work=tmp_path, server=None)


def test_a_time_out_ends_grandchildren_in_sessions_of_their_own(tmp_path: Path, server: ForkServer | None) -> None:
    pids = tmp_path / "pids"
    with pytest.raises(StageFailed, match=r"ran past its time-out of 1\.5 s"):
        run(tmp_path, server, "family", pids=str(pids), stubborn=True, timeout_s=1.5)
    wait_until(lambda: not alive(everyone(pids)), SOON_S)


def test_what_a_program_leaves_running_ends_with_it(tmp_path: Path, fork_server: ForkServer) -> None:
    pids = tmp_path / "pids"
    assert run(tmp_path, fork_server, "family", pids=str(pids), end=True) == {}
    wait_until(lambda: not alive(everyone(pids)), SOON_S)


def test_a_cancel_stops_the_program_and_leaves_it_time_to_save(tmp_path: Path, server: ForkServer | None) -> None:
    pids, note, cancelled = tmp_path / "pids", tmp_path / "note", threading.Event()

    def poll() -> None:
        if pids.exists():
            cancelled.set()

    with pytest.raises(StageFailed, match="was cancelled"):
        run(tmp_path, server, "stop_politely", pids=str(pids), note=str(note), poll=poll, cancelled=cancelled)
    assert note.read_text() == "saved"
    wait_until(lambda: not alive(everyone(pids)), SOON_S)


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_an_exception_in_the_calling_thread_stops_the_tree_and_goes_on(
    tmp_path: Path, fork_server: ForkServer, error: type[BaseException]
) -> None:
    pids = tmp_path / "pids"

    def poll() -> None:
        if pids.exists():
            raise error("from poll")

    with pytest.raises(error, match="from poll"):
        run(tmp_path, fork_server, "family", pids=str(pids), poll=poll)
    wait_until(lambda: not alive(everyone(pids)), SOON_S)


def test_a_killed_warden_takes_the_program_along(tmp_path: Path, server: ForkServer | None) -> None:
    pids = tmp_path / "pids"

    def poll() -> None:
        if pids.exists():
            kill(alive([json.loads(pids.read_text())["warden"]]))

    with pytest.raises(StageFailed, match="so is the process that watched over it"):
        run(tmp_path, server, "stop_politely", pids=str(pids), note=str(tmp_path / "note"), poll=poll)
    wait_until(lambda: not alive(everyone(pids)), SOON_S)


FLOW = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs are started with SIGINT ignored
from pathlib import Path
from r1flow.components.processes.keeper import run_program
from r1flow.components.processes.preload import ForkServer
mode, work, spec = sys.argv[1], Path(sys.argv[2]), {"do": "family", "pids": sys.argv[3], "hold_gil": True}
server = ForkServer.start(["decimal" if mode == "forked" else "tests.faults.slow_import"]) if mode != "plain" else None
run_program("tests.faults.acts", spec, work=work, server=server)
"""


def start_flow(mode: str, tmp_path: Path) -> subprocess.Popen[bytes]:
    """A process that runs a program as a flow does, for killing."""
    arguments = [mode, str(tmp_path / "work"), str(tmp_path / "pids")]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "R1_PROBE_MARK": str(tmp_path / "importing")}
    return subprocess.Popen([sys.executable, "-c", FLOW, *arguments], env=env)


@pytest.mark.parametrize("mode", ["forked", "plain"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_survives_the_flow_process(tmp_path: Path, mode: str, number: signal.Signals) -> None:
    flow = start_flow(mode, tmp_path)
    wait_until((tmp_path / "pids").exists)
    family = descendants(flow.pid)
    assert set(everyone(tmp_path / "pids")) <= {process.pid for process in family}
    flow.send_signal(number)
    if number == signal.SIGINT:  # the flow itself stops the tree, with the grace that the keeper grants
        flow.wait(20)
    assert survivors(family, SOON_S) == []
    flow.wait(20)


def test_a_server_that_is_still_importing_does_not_survive_the_flow_process(tmp_path: Path) -> None:
    flow = start_flow("importing", tmp_path)
    wait_until((tmp_path / "importing").exists)
    [server] = children(flow.pid)
    flow.kill()
    flow.wait(20)
    assert survivors([server], SOON_S) == []


def test_two_programs_run_at_once_from_two_threads(tmp_path: Path, server: ForkServer | None) -> None:
    place = tmp_path / "place"
    place.mkdir()
    with ThreadPoolExecutor(2) as threads:
        both = [
            threads.submit(run, tmp_path / me, server, "meet", place=str(place), me=me, timeout_s=20) for me in "ab"
        ]
        assert [one.result() for one in both] == [{"me": "a"}, {"me": "b"}]


def test_poll_is_called_while_the_program_runs_and_after_its_end(tmp_path: Path, fork_server: ForkServer) -> None:
    seen = []
    place = tmp_path / "place"
    place.mkdir()

    def poll() -> None:
        seen.append((tmp_path / "exit.json").exists())
        if len(seen) == 3:
            (place / "other").touch()

    run(tmp_path, fork_server, "meet", place=str(place), me="me", poll=poll)
    assert seen[:3] == [False, False, False]
    assert seen[-1] is True


def test_a_module_that_cannot_be_preloaded_is_named(tmp_path: Path) -> None:
    named = r"could not preload no_such_module \(ModuleNotFoundError"
    with closing(ForkServer.start(["json", "no_such_module"])) as server, pytest.raises(StageFailed, match=named):
        run(tmp_path, server, "answer", number=1)


def test_a_module_that_starts_a_thread_is_warned_about(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with closing(ForkServer.start(["tests.faults.threaded"])) as server:
        run(tmp_path, server, "answer", number=1)
        server.ready()
    assert "tests.faults.threaded have started threads" in (tmp_path / "log.txt").read_text()
    assert "tests.faults.threaded have started threads" in caplog.text


def test_a_cancel_does_not_wait_for_the_imports(tmp_path: Path) -> None:
    cancelled = threading.Event()
    cancelled.set()
    with closing(ForkServer.start(["tests.faults.slow_import"])) as server:
        with pytest.raises(StageFailed, match="was cancelled"):
            run(tmp_path, server, "answer", number=1, cancelled=cancelled)
        assert not (tmp_path / "exit.json").exists()


def test_a_server_that_was_killed_is_started_anew(tmp_path: Path) -> None:
    before = set(children())
    with closing(ForkServer.start([])) as server:
        [process] = set(children()) - before
        server.ready()
        process.kill()
        assert survivors([process], SOON_S) == []
        assert run(tmp_path, server, "answer", number=2)["double"] == 4


def test_a_preloaded_torch_computes_on_two_threads_in_the_fork(tmp_path: Path) -> None:
    with closing(ForkServer.start(["torch"])) as server:
        server.ready()
        metrics = run(tmp_path, server, "matmul", timeout_s=120)
    assert metrics == {"exact": True, "threads": 2, "preloaded": True}
