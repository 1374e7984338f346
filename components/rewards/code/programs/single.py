"""Tests and program in one process, for tests that need the program's own classes: weaker than two, and marked so.

Reads ``job.json`` from standard input. The report repeats the job's nonce, which the program could find if it looked.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

TYPE_CHECKING = False
if TYPE_CHECKING:
    from r1flow.components.rewards.code.programs.candidate import load
    from r1flow.components.rewards.code.programs.peer import Lost
    from r1flow.components.rewards.code.programs.reading import parsed
    from r1flow.components.rewards.code.programs.referee import REPORT, run_assertions
else:
    from candidate import load
    from peer import Lost
    from reading import parsed
    from referee import REPORT, run_assertions


def judge(job: dict[str, Any]) -> dict[str, Any]:
    tree = parsed(job["assertions"])
    lookup = load("solution.py")
    try:
        # raises where the program could not be loaded
        candidate = lookup(job["entry_point"] or "__dir__")
        names = dict(vars(sys.modules["solution"]))
        if job["entry_point"]:
            names["candidate"] = candidate
        return run_assertions(names, tree, job["entry_point"])
    except Lost as lost:
        return {"verdict": "WRONG", "detail": lost.reason}
    except BaseException as error:  # an exit, in the program or in the tests
        return {"verdict": "WRONG", "detail": f"the tests end early: {type(error).__name__}"}


def main() -> None:
    job = json.load(sys.stdin)
    silence = os.open(os.devnull, os.O_RDWR)
    os.dup2(silence, 1)
    data = json.dumps({"nonce": job["nonce"], **judge(job)}).encode("ascii")
    while data:
        data = data[os.write(REPORT, data) :]
    os._exit(0)


if __name__ == "__main__":
    main()
