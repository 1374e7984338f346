"""Servers that are not ours: ready before the next one starts, stopped in the opposite order, gone with whoever started them."""

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from r1flow.components.core.errors import ServerFailed
from r1flow.components.processes.probe import answers
from r1flow.components.processes.servers import Server, Servers, free_port, plain_environment
from tests import processes
from tests.fakes.noting_servers import server
from tests.processes import wait_until
from tests.runs import ROOT

STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
)


def job(code: str, **environment: str) -> Server:
    return Server("job", (sys.executable, "-c", code), {**plain_environment(), **environment})


def alive(notes: Path) -> list[int]:
    """Those of the noted processes that run."""
    pids = [int(pid) for pid in notes.with_name(notes.name + ".pids").read_text().split()]
    assert pids
    return processes.alive(pids)


def test_a_server_answers_when_start_returns_and_the_last_is_stopped_first(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    with Servers(tmp_path / "logs") as servers:
        for one in (server("first", notes), server("second", notes, signal.SIGINT)):
            servers.start(one)
            assert answers(one.ready)
        assert len(alive(notes)) == 4
    assert notes.read_text() == "second SIGINT\nfirst SIGTERM\n"
    assert alive(notes) == []  # their children too, which had sessions of their own


def test_a_job_is_done_before_start_returns_and_sees_its_environment_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of the caller")
    with Servers(tmp_path) as servers:
        servers.start(job("import os; print(sorted(os.environ))", TOLD="yes"))
    seen = (tmp_path / "job.log").read_text()
    assert "'TOLD'" in seen
    assert "AWS" not in seen


def test_a_job_that_fails_is_an_error_with_the_end_of_its_log(tmp_path: Path) -> None:
    with (
        pytest.raises(ServerFailed, match=r"job has ended \(exit code 3\)(.|\n)*the reason"),
        Servers(tmp_path) as servers,
    ):
        servers.start(job("print('the reason', flush=True); raise SystemExit(3)"))


def test_a_program_that_is_not_there_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(ServerFailed, match="no-such-program cannot be started"), Servers(tmp_path) as servers:
        servers.start(Server("missing", ("no-such-program",), plain_environment(), ready="tcp://127.0.0.1:1"))


def test_a_server_that_ends_by_itself_is_noticed_and_the_others_are_stopped(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    with Servers(tmp_path / "logs") as servers:
        servers.start(server("first", notes))
        servers.start(server("second", notes))
        psutil.Process(int(notes.with_name("notes.pids").read_text().split()[2])).kill()
        with pytest.raises(ServerFailed, match=r"second has ended \(SIGKILL\)"):
            servers.watch()
    assert notes.read_text() == "first SIGTERM\n"
    assert alive(notes) == []


def test_a_server_that_never_answers_is_given_up_and_one_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    deaf = Server(
        "deaf",
        (sys.executable, "-c", STUBBORN),
        plain_environment(),
        f"tcp://127.0.0.1:{free_port()}",
        grace_s=0.5,
        start_s=2,
    )
    with pytest.raises(ServerFailed, match="deaf does not answer after 2 s"), Servers(tmp_path) as servers:
        servers.start(deaf)
    assert not [process for process in psutil.process_iter(["cmdline"]) if STUBBORN in (process.info["cmdline"] or [])]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_outlives_whoever_started_it(tmp_path: Path, number: signal.Signals) -> None:
    notes = tmp_path / "notes"
    command = [sys.executable, "-m", "tests.fakes.noting_servers", str(tmp_path / "logs"), str(notes)]
    starter = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert starter.stdout is not None
    assert starter.stdout.readline() == "up\n"
    assert len(alive(notes)) == 4
    starter.send_signal(number)
    starter.wait(30)
    wait_until(lambda: alive(notes) == [], 30)
    gently = number != signal.SIGKILL
    assert (notes.read_text() if notes.exists() else "") == ("second SIGTERM\nfirst SIGTERM\n" if gently else "")
