"""Starting `r1` as a person does: a process of its own, a home of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from r1flow.components.core.spool import read_spool
from tests.processes import descendants, survivors

ROOT = Path(__file__).parents[1]
ZERO = str(Path(__file__).parent / "zero.toml")
"""A recipe: R1-Zero alone, from data to champion, two steps of everything."""


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "r1flow.cli.main", *arguments]


def environment(home: Path, path: Path | None = None, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """A home of its own; ``path`` is put on the Python path, ``extra`` variables stand beside."""
    paths = os.pathsep.join(map(str, filter(None, (ROOT, path))))
    keep = {k: v for k, v in os.environ.items() if not k.startswith(("R1_", "PREFECT_", "MLFLOW_"))}
    return {
        **keep,
        "R1_HOME": str(home),
        "PYTHONPATH": paths,
        "COLUMNS": "160",
        "NO_COLOR": "1",
        **(extra or {}),
    }


def r1(
    home: Path,
    *arguments: str,
    timeout: float = 400,
    path: Path | None = None,
    extra: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; output captured."""
    return subprocess.run(
        command(*arguments),
        env=environment(home, path, extra),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def python(home: Path, code: str, *arguments: str) -> str:
    """The last line that ``code`` prints in an interpreter of its own, which has to end well."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=environment(home),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def run_recipe(
    home: Path,
    preset: str,
    *overrides: str,
    only: Sequence[str] = (),
    timeout: float = 400,
    path: Path | None = None,
    extra: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """`r1 run`, which has to succeed; the summary it wrote. What it printed lies beside."""
    summary = home / "summary.json"
    arguments = [*options(overrides, only), "--json", str(summary)]
    done = r1(home, "run", preset, *arguments, timeout=timeout, path=path, extra=extra)
    (home / "console.txt").write_text(done.stdout + done.stderr)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    result: dict[str, Any] = json.loads(summary.read_text())
    return result


def kill_in_rl(home: Path, step: int, preset: str, *overrides: str, timeout: float = 180) -> None:
    """Start the run in a group of its own, wait until a spool of RL holds ``step``, kill the group; nothing may survive."""
    process = subprocess.Popen(
        command("run", preset, *options(overrides)),
        env=environment(home),
        cwd=ROOT,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + timeout
    while not any(row.step >= step for path in home.glob("work/rl-*/metrics.jsonl") for row in read_spool(path)):
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline, f"step {step} was not reached"
        time.sleep(0.02)
    family = descendants(process.pid)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=30)
    assert survivors(family, 5) == []


def options(overrides: Iterable[str], only: Iterable[str] = ()) -> list[str]:
    """``--set`` for every override, ``--only`` for every stage."""
    sets = [part for override in overrides for part in ("--set", override)]
    return sets + [part for name in only for part in ("--only", name)]


def stages(summary: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {stage["name"]: stage for stage in summary["stages"]}
