"""Ranks as real processes under the keeper: one that fails is named and ends all, and none survives the flow."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from r1flow.components.core.errors import ConfigError, StageFailed
from r1flow.components.processes.keeper import run_program
from r1flow.components.processes.ranks import Layout, launcher_command
from tests.processes import alive, descendants, kill, survivors, wait_until

ACTS = "tests.faults.rank_acts"
ROOT = Path(__file__).resolve().parents[2]
SOON_S = 5.0
"""What is promised: from the death of a rank, or of the flow, to the end of all."""


def run(place: Path, do: str, poll: Callable[[], None] | None = None, **rest: Any) -> dict[str, Any]:
    spec = {"do": do, "place": str(place), **rest}
    return run_program(ACTS, spec, work=place / "keeper", server=None, timeout_s=120, poll=poll, poll_every_s=0.05)


def pids(place: Path) -> list[int]:
    """Of both ranks, once both have told."""
    files = [place / f"pid-{rank}" for rank in (0, 1)]
    return [int(file.read_text()) for file in files] if all(file.exists() for file in files) else []


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_ranks_meet_on_the_loopback_and_trade_plain_values(tmp_path: Path) -> None:
    metrics = run(tmp_path, "talk")
    assert (metrics["rank"], metrics["world"], metrics["device"]) == (0, 2, "cpu")
    assert metrics["sum"] == {"a": 0.1 + 1.1, "b": 2.0}
    assert metrics["largest"] == {"a": 1.0, "b": float("inf")}
    assert metrics["gathered"] == [
        {"rank": rank, "long": "x" * (rank * 1000), "exact": [0.1 + 0.2, [1, 2]]} for rank in (0, 1)
    ]
    assert metrics["listens"] == ["127.0.0.1"]
    assert (tmp_path / "ranks" / "1" / "log.txt").read_text() == "rank 1 does talk\n"


def test_a_killed_rank_ends_the_others_and_is_named_with_its_log(tmp_path: Path) -> None:
    with pytest.raises(StageFailed) as caught:
        run(tmp_path, "vanish")
    text = str(caught.value)
    assert "rank 1 of tests.faults.rank_acts was killed by SIGKILL" in text
    assert "the card has fallen off the bus" in text
    assert alive(pids(tmp_path)) == []


def test_the_death_of_a_rank_ends_one_that_is_deaf_within_five_seconds(tmp_path: Path) -> None:

    def kill_rank_1() -> None:
        if alive(both := pids(tmp_path)):
            time.sleep(0.2)  # until rank 0 has gone deaf
            kill(both[1:])
            wait_until(lambda: not alive(both), SOON_S)

    with pytest.raises(StageFailed, match=r"rank 1 of tests\.faults\.rank_acts was killed by SIGKILL"):
        run(tmp_path, "wait", kill_rank_1)
    assert alive(pids(tmp_path)) == []


def test_a_user_error_in_a_rank_stays_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^dev2.steps: must be positive$"):
        run(tmp_path, "wrong_setting")
    assert alive(pids(tmp_path)) == []


@pytest.mark.parametrize("group", ["default", "other"])
def test_a_rank_that_never_comes_to_a_collective_is_waited_for_no_longer_than_the_time_out(
    tmp_path: Path, group: str
) -> None:
    with pytest.raises(StageFailed, match=r"rank 0 of tests.faults.rank_acts failed with .*[Tt]imed out"):
        run(tmp_path, "stall", of=group)
    assert alive(pids(tmp_path)) == []


def test_a_second_try_does_not_take_the_first_ones_outcome_for_its_own(tmp_path: Path) -> None:
    for rank in ("0", "1"):
        (tmp_path / "ranks" / rank).mkdir(parents=True)
        (tmp_path / "ranks" / rank / "exit.json").write_text('{"ok": true, "metrics": {"old": 1}}')
        (tmp_path / "ranks" / rank / "log.txt").write_text("an earlier try\n")
    with pytest.raises(ConfigError):
        run(tmp_path, "wrong_setting")
    assert "an earlier try\nrank 1 does" in (tmp_path / "ranks" / "1" / "log.txt").read_text()


FLOW = """
import sys
from pathlib import Path
from r1flow.components.processes.keeper import run_program
place = Path(sys.argv[1])
spec = {"do": "wait", "place": str(place)} | ({"rendezvous": sys.argv[2]} if sys.argv[2] else {})
run_program("tests.faults.rank_acts", spec, work=place / "keeper", server=None)
"""


@pytest.mark.parametrize("launcher", ["own", "torchrun"])
@pytest.mark.parametrize("victim", ["flow", "warden"])
def test_no_rank_survives_the_flow_or_its_warden_by_five_seconds(tmp_path: Path, launcher: str, victim: str) -> None:
    rendezvous = f"127.0.0.1:{free_port()}" if launcher == "torchrun" else ""
    flow = subprocess.Popen(
        [sys.executable, "-c", FLOW, str(tmp_path), rendezvous],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.DEVNULL,
    )
    wait_until(lambda: pids(tmp_path))
    family = descendants(flow.pid)
    assert set(pids(tmp_path)) <= {process.pid for process in family}
    (flow if victim == "flow" else family[0]).kill()
    assert survivors(family, SOON_S) == []
    flow.wait(20)


def test_under_torchrun_too_a_killed_rank_ends_the_others_and_is_named(tmp_path: Path) -> None:
    def kill_rank_1() -> None:
        kill(alive(pids(tmp_path)[1:]))

    with pytest.raises(StageFailed, match=r"rank 1 of tests\.faults\.rank_acts was killed by SIGKILL") as caught:
        run(tmp_path, "vanish", kill_rank_1, rendezvous=f"127.0.0.1:{free_port()}")
    assert "rank 1 does vanish" in str(caught.value)
    assert alive(pids(tmp_path)) == []


SSH = """#!/bin/sh
while [ "$1" = -o ]; do shift 2; done
shift
[ "$*" = "hostname -I" ] && exec echo 127.0.0.1
exec "$@"
"""
"""Stands for ssh to this machine, as DeepSpeed's launcher calls it to probe its hosts."""


def test_under_deepspeeds_launcher_too_a_killed_rank_ends_the_others_and_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hosts").write_text("localhost slots=2\n")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "ssh").write_text(SSH)
    (tmp_path / "bin" / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")

    def look() -> None:
        if (both := pids(tmp_path)) and not alive(both[1:]):
            wait_until(lambda: not alive(both), SOON_S)

    with pytest.raises(StageFailed, match=r"rank 1 of tests\.faults\.rank_acts ended with") as caught:
        run(tmp_path, "vanish", look, hostfile=str(tmp_path / "hosts"))
    assert "the card has fallen off the bus" in str(caught.value)


def test_a_layout_over_machines_says_how_they_find_each_other(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"engine\.nodes: .* needs engine\.rendezvous or engine\.hostfile"):
        Layout(8, nodes=2)
    with pytest.raises(ConfigError, match="exclude each other"):
        Layout(8, rendezvous="a:1", hostfile=tmp_path)
    torchrun = launcher_command(ACTS, tmp_path, Layout(8, nodes=2, rendezvous="a:1"))
    assert torchrun[2:10] == [
        "-m",
        "torch.distributed.run",
        "--nnodes",
        "2",
        "--nproc-per-node",
        "8",
        "--rdzv-backend",
        "c10d",
    ]
    deepspeed = launcher_command(ACTS, tmp_path, Layout(8, nodes=2, hostfile=tmp_path / "hosts"))
    assert deepspeed[2:6] == ["-m", "deepspeed.launcher.runner", "--hostfile", str(tmp_path / "hosts")]
    assert torchrun[-3:] == deepspeed[-3:] == ["r1flow.components.processes.ranks", ACTS, str(tmp_path)]
