"""``examples/grpo_loop.py``: the library's parts in a plain loop, without a flow, learn to add."""

import re
import subprocess
import sys
from pathlib import Path

from tests.runs import ROOT, environment


def test_the_loop_learns(tmp_path: Path) -> None:
    command = [sys.executable, "examples/grpo_loop.py", "--steps", "14", "--prompts", "24", "--samples", "12"]
    done = subprocess.run(
        command, env=environment(tmp_path), cwd=ROOT, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    right = [float(found) for found in re.findall(r"right ([0-9.]+)", done.stdout)]
    assert len(right) == 14
    assert max(right[:2]) < 0.6, right
    assert min(right[-2:]) > 0.7, right
