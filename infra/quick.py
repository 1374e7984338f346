"""Run the tests that a change needs, in under two minutes: `make quick`, or `make quick ROOM=rewards`.

A room is a folder of components/, or flows, tasks, cli or infra; its tests are the folder of its name below tests/. Without ROOM
they are those of all files that differ from the commit at which this branch left origin/main, committed or not; where there is no
such remote, from the commit before the last. The pages are always held against the code. Tests marked `long` are left to
`make test`.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ALWAYS = "tests/docs"
OTHERS = ("cli", "flows", "infra", "tasks")
"""Rooms that are none of components/."""
ELSEWHERE = ("slow", "extra", "gpu", "stack", "real", "long")
"""Markers of tests that other targets of the Makefile run."""


def main(names: Sequence[str]) -> None:
    chosen = [folder_of(name) for name in names] or folders_for(changed(ROOT))
    print("quick:", *chosen, ALWAYS, flush=True)
    expression = " and ".join(f"not {marker}" for marker in ELSEWHERE)
    options = ("-q", "-m", expression, "--numprocesses", "2", "--dist", "loadfile", "--no-loadscope-reorder")
    os.chdir(ROOT)
    os.execv(sys.executable, [sys.executable, "-m", "pytest", *options, *chosen, ALWAYS])


def folder_of(room: str) -> str:
    """The folder of a room's tests; SystemExit where there is no such room."""
    folder = f"tests/{room}" if room in OTHERS else f"tests/components/{room}"
    if (ROOT / folder).is_dir():
        return folder
    raise SystemExit(f"make quick: there is no room {room!r}")


def changed(root: Path) -> list[str]:
    """Paths of a checkout that differ from where its branch began, those that git does not know yet among them."""
    base = _git(root, "merge-base", "HEAD", "origin/main") or _git(root, "rev-parse", "--verify", "HEAD~1") or ["HEAD"]
    new = _git(root, "ls-files", "--others", "--exclude-standard")
    return sorted({*_git(root, "diff", "--name-only", *base), *new})


def folders_for(paths: Iterable[str]) -> list[str]:
    """Of the rooms that the paths lie in, and the files of tests among them that lie in none.

    >>> folders_for(["components/store/lease.py", "r1flow/cli/run.py", "tests/components/store/test_lease.py", "README.md"])
    ['tests/cli', 'tests/components/store']
    """
    found = set()
    for path in paths:
        kind, *rest = path.removeprefix("r1flow/").removeprefix("tests/").split("/")
        if kind in OTHERS:
            found.add(f"tests/{kind}")
        elif kind == "components" and rest and (ROOT / "tests" / kind / rest[0]).is_dir():
            found.add(f"tests/{kind}/{rest[0]}")
        elif re.fullmatch(r"tests/(components/)?test_\w+\.py", path) and (ROOT / path).is_file():
            found.add(path)
    return sorted(found)


def _git(root: Path, *arguments: str) -> list[str]:
    """The lines that git prints; none where it fails."""
    done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=60, check=False)
    return done.stdout.splitlines() if done.returncode == 0 else []


if __name__ == "__main__":
    main(sys.argv[1:])
