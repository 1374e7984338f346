"""Wrappings of a right program: some keep what it does, others spoil it."""

import json
import random
from typing import Any

from r1flow.components.rewards.adversarial.cases import Family
from r1flow.components.rewards.adversarial.programs.task import Task


def mutations(task: Task, inputs: list[tuple[Any, ...]], rng: random.Random) -> list[tuple[Family, str, str]]:
    """Two wrappings of the first right program that keep what it does, and three that spoil it."""
    base = next(iter(task.right.values())).replace(task.entry, "_inner")
    special = list(max(inputs, key=lambda args: len(json.dumps(args))))
    keeps, spoils = _keeping(task.entry), _spoiling(task.entry, special)
    kept = [(Family.EQUIVALENT, f"{task.entry}/{name}", base + keeps[name]) for name in rng.sample(sorted(keeps), 2)]
    lost = [(Family.NEAR_MISS, f"{task.entry}/{name}", base + spoils[name]) for name in rng.sample(sorted(spoils), 3)]
    return kept + lost


def _keeping(entry: str) -> dict[str, str]:
    """What may follow a program that defines ``_inner``, so that ``entry`` does the same."""
    head = f"\n\ndef {entry}(*args):\n"
    call = "    return _inner(*args)"
    method = f"    def solve(self, *args):\n    {call}"
    typed = f"def {entry}(*args: Any) -> Any:\n    result: Any = _inner(*args)\n    return result"
    return {
        "helper": head + call,
        "comments": f"\n# A comment.\n{head}\n    # Nothing to see.\n    'Text.'\n{call}  # done",
        "prints to stderr": f"\nimport sys\n{head}    print('called with', args, file=sys.stderr)\n{call}",
        "class": f"\n\nclass Solution:\n{method}\n\n\n{entry} = Solution().solve",
        "annotated": f"\nfrom typing import Any\n\n\n{typed}",
        "local import": f"{head}    import math, itertools, collections\n{call}",
    }


def _spoiling(entry: str, special: list[Any]) -> dict[str, str]:
    """What makes it wrong; ``special`` is the input of one test."""
    head = f"\n\ndef {entry}(*args):\n"
    return {
        "wrong on one test": f"{head}    return 'x' if list(args) == {special!r} else _inner(*args)",
        "raises on one test": f"{head}    assert list(args) != {special!r}\n    return _inner(*args)",
        "none": f"{head}    _inner(*args)",
        "text": f"{head}    return 'value: ' + str(_inner(*args))",
        "wrapped": f"{head}    return [_inner(*args)]",
        "constant": f"{head}    return _inner(*{special!r})",
        "entry point missing": "",
        "syntax error": f"{head}    return _inner(*args",
    }
