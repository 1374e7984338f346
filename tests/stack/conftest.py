"""One stack for the folder, started as a person starts it, in a home of its own."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from tests.conftest import need_program, not_installed
from tests.processes import descendants
from tests.runs import ROOT

BIN = Path(sys.executable).parent
START_S = 400.0


@dataclass
class Stack:
    """A running stack: its home, its process, what it has printed, and the variables of the file that it names."""

    home: Path
    process: "subprocess.Popen[bytes]"
    variables: dict[str, str] = field(repr=False)

    @property
    def printed(self) -> str:
        return (self.home / "printed").read_text()

    def shell(self, command: str, timeout: float = 300) -> str:
        """Run ``command`` in a shell that has read the stack's file; what it printed. It has to succeed."""
        env_file = self.home / "stack" / "env"
        done = subprocess.run(
            ["bash", "-c", f"source {env_file} && {command}"],
            env=plain(),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout

    def processes(self) -> list[psutil.Process]:
        """All that it has started, workers' flow runs included."""
        return descendants(self.process.pid)

    def stop(self) -> int:
        """Ctrl-C; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.process.wait(180)


def plain() -> dict[str, str]:
    """A shell of somebody who has set nothing."""
    kept = {name: os.environ[name] for name in ("HOME", "LANG", "TZ") if name in os.environ}
    paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return {**kept, "PATH": f"{BIN}:{os.environ['PATH']}", "PYTHONPATH": paths, "COLUMNS": "160", "NO_COLOR": "1"}


@pytest.fixture(scope="package")
def stack() -> Iterator[Stack]:
    for name in ("psycopg", "flask_wtf"):
        pytest.importorskip(name, reason=f"{name} is not installed; `make test-stack` installs it")
    if not list(Path("/usr/lib/postgresql").glob("*/bin/postgres")):
        need_program("postgres")
    if not ((BIN / "weed").exists() or shutil.which("weed")):
        not_installed("weed")
    home = Path(tempfile.mkdtemp(prefix="r1-stack-"))
    home.chmod(0o755)  # pytest's own folders are closed to the user that PostgreSQL runs as where this is root
    with (home / "printed").open("wb") as printed:
        process = subprocess.Popen(
            [sys.executable, "-m", "infra.stack"],
            env={**plain(), "R1_HOME": str(home)},
            cwd=ROOT,
            stdout=printed,
            stderr=printed,
            start_new_session=True,
        )
    running = Stack(home, process, {})
    try:
        deadline = time.monotonic() + START_S
        while "Ctrl-C" not in running.printed:
            assert process.poll() is None, running.printed
            assert time.monotonic() < deadline, running.printed
            time.sleep(0.5)
        pairs = running.shell("env -0").split("\0")
        running.variables = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
        yield running
    finally:
        running.stop()
        shutil.rmtree(home, ignore_errors=True)
