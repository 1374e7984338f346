"""Ctrl-C, SIGTERM: every running stage ends, not only the one that the flow waits for."""

import signal
import subprocess
from pathlib import Path

import pytest

from tests.processes import descendants, survivors, wait_until
from tests.runs import ROOT, command, environment

STEPS = 4000  # minutes: nothing but the signal can end such a stage in time
END_S = 30


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)]
)
def test_a_signal_ends_stages_that_run_side_by_side(tmp_path: Path, number: signal.Signals, code: int) -> None:
    sets = [f"--set={name}.steps={STEPS}" for name in ("dev2", "student_rl")]
    running = subprocess.Popen(
        command("run", "smoke", *sets, "--set=dev2.reference_every=0", "--set=run.parallel_stages=2"),
        env=environment(tmp_path),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # a shell's background jobs are started with SIGINT ignored
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        wait_until(lambda: _at_work(tmp_path) == 2, 240, "two RL stages did not start")
        family = descendants(running.pid)
        running.send_signal(number)
        said, _ = running.communicate(timeout=END_S)
    finally:
        running.kill()
    assert running.returncode == code, said
    assert "Traceback" not in said
    assert number != signal.SIGINT or "the same command goes on from the last checkpoint" in said
    assert survivors(family, 5) == []


def _at_work(home: Path) -> int:
    """RL stages that have made a step and are asked for STEPS."""
    specs = [spool.with_name("spec.json") for spool in home.glob("work/rl-*/metrics.jsonl")]
    return sum(f'"steps": {STEPS}' in spec.read_text() for spec in specs if spec.exists())
